"""How tokens of a text stand to one another, in teacher and student: attention scores, and relations of queries, keys and values.

Both are computed for groups of texts of like length, as attention is, and padding counts nowhere. Each token is worth the same,
whatever its text's length.

Shapes: T tokens, D width, N texts of a group, L slots, H heads, R relation heads, K width of one.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from headway.neural.groups import Group, group_texts
from headway.neural.packing import Packed


def scores_sum(student: Sequence[Tensor], teacher: Sequence[Tensor], groups: Sequence[Group]) -> Tensor:
    """Squared differences of attention scores, (texts, heads, queries, keys) for each group.

    Of each query the mean over heads and over the keys of its text, summed over queries. Scores are those before the softmax;
    keys that a window hides from either count as equal. Jiao et al., 2020, arXiv:1909.10351, section 3.1, formula 7.
    """
    found = []
    for student_NHLL, teacher_NHLL, group in zip(student, teacher, groups, strict=True):
        seen = _seen(student_NHLL) & _seen(teacher_NHLL)
        squares_NLL = (student_NHLL.float() - teacher_NHLL.float()).square().where(seen, 0.0).mean(1)
        if group.keep is not None:
            squares_NLL = squares_NLL * (group.keep[:, :, None] & group.keep[:, None, :])
        lengths_N = torch.tensor(group.lengths, device=squares_NLL.device)
        found.append((squares_NLL.sum((1, 2)) / lengths_N).sum())
    return torch.stack(found).sum()


def relations_sum(student: tuple[Tensor, Tensor], teacher: tuple[Tensor, Tensor], packed: Packed, *, heads: int) -> Tensor:
    """Divergence of the student's relations from the teacher's, between two kinds of vectors, (tokens, width) each.

    Vectors are divided evenly among relation heads, so the widths of teacher and student may differ; a relation is the softmax
    over a text's tokens of the scaled products. The mean over heads, summed over tokens. Wang et al., 2021, arXiv:2012.15828,
    section 3.
    """
    found = []
    groups = group_texts(packed)
    sizes = [group.tokens for group in groups]
    student_parts, teacher_parts = (list(zip(*(side.split(sizes) for side in pair), strict=True)) for pair in (student, teacher))
    for group, ours, theirs in zip(groups, student_parts, teacher_parts, strict=True):
        log_ours, log_theirs = _log_relation(ours[0], ours[1], group, heads), _log_relation(theirs[0], theirs[1], group, heads)
        divergence_NRL = F.kl_div(log_ours, log_theirs, reduction="none", log_target=True).sum(-1)
        if group.keep is not None:
            divergence_NRL = divergence_NRL * group.keep[:, None, :]
        found.append(divergence_NRL.mean(1).sum())
    return torch.stack(found).sum()


def _log_relation(first_TD: Tensor, second_TD: Tensor, group: Group, heads: int) -> Tensor:
    first_NRLK, second_NRLK = _divided(first_TD, group, heads), _divided(second_TD, group, heads)
    scores = torch.matmul(first_NRLK * first_NRLK.shape[-1] ** -0.5, second_NRLK.transpose(-1, -2)).float()
    if group.keep is not None:
        scores = scores.masked_fill(~group.keep[:, None, None, :], -1e4)
    return scores.log_softmax(-1)


def _divided(rows_TD: Tensor, group: Group, heads: int) -> Tensor:
    return group.padded(rows_TD).view(group.texts, group.length, heads, -1).transpose(1, 2)


def _seen(scores: Tensor) -> Tensor:
    """Which scores are of keys that may be seen: the others hold the lowest number there is, or no finite one."""
    return scores > torch.finfo(scores.dtype).min / 2
