"""What a student loses against its teacher, summed over texts, tokens or answers; dividing by their number is left to the step.

Shapes: N rows, C labels, T tokens, D hidden, B texts, Q questions, V widths of vectors.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from headway.neural.packing import Packed

UNSEEN = -1e4
"""The score of what is not there: far below any other, and still a number that can be divided."""


def soft_sum(student_NC: Tensor, teacher_NC: Tensor, *, temperature: float) -> Tensor:
    """Kullback-Leibler divergence from the teacher's softened distribution to the student's, times the temperature squared.

    The square keeps gradients as large as those of hard labels. Hinton et al., 2015, arXiv:1503.02531, section 2.
    """
    found = F.log_softmax(student_NC.float() / temperature, dim=-1)
    wanted = F.softmax(teacher_NC.float() / temperature, dim=-1)
    return F.kl_div(found, wanted, reduction="sum") * temperature**2


def soft_labels_sum(student_NC: Tensor, teacher_NC: Tensor, *, temperature: float) -> Tensor:
    """The same where each label is a question of its own: divergence between two chances for each."""
    wanted_NC = torch.sigmoid(teacher_NC.float() / temperature)
    cross = F.binary_cross_entropy_with_logits(student_NC.float() / temperature, wanted_NC, reduction="sum")
    own = F.binary_cross_entropy(wanted_NC, wanted_NC, reduction="sum")
    return (cross - own) * temperature**2


def numbers_sum(student_N1: Tensor, teacher_N1: Tensor) -> Tensor:
    """Squared error against the teacher's numbers."""
    return F.mse_loss(student_N1.float(), teacher_N1.float(), reduction="sum")


def soft_places_sum(student_T: Tensor, teacher_T: Tensor, packed: Packed, *, temperature: float) -> Tensor:
    """``soft_sum`` of each text's distribution over its own tokens, as for an answer's first or last one."""
    return soft_sum(by_text(student_T, packed), by_text(teacher_T, packed), temperature=temperature)


def by_text(values_T: Tensor, packed: Packed) -> Tensor:
    """One score a token as (texts, longest text) in packed order; what is no token can hardly be chosen."""
    slots_BS = torch.arange(max(packed.lengths), device=packed.device) < packed.text_lengths[:, None]
    return torch.full(slots_BS.shape, UNSEEN, device=packed.device).masked_scatter(slots_BS, values_T.float())


def by_question(values_B: Tensor, rows_QC: Tensor) -> Tensor:
    """One score a text as (questions, choices), where the rows say which texts those are, -1 for none."""
    return values_B.float()[rows_QC.clamp(min=0)].masked_fill(rows_QC < 0, UNSEEN)


def cosine_sum(student_TD: Tensor, teacher_TD: Tensor, weights_T: Tensor | None = None) -> Tensor:
    """One minus the cosine of each pair of vectors, summed, perhaps by weight. Sanh et al., 2019, arXiv:1910.01108, section 3."""
    apart_T = 1 - F.cosine_similarity(student_TD.float(), teacher_TD.float(), dim=-1)
    return apart_T.sum() if weights_T is None else (apart_T * weights_T).sum()


def squares_sum(student_TD: Tensor, teacher_TD: Tensor) -> Tensor:
    """The mean squared difference of each pair of vectors, summed. Jiao et al., 2020, arXiv:1909.10351, section 3.1."""
    return (student_TD.float() - teacher_TD.float()).square().mean(-1).sum()
