"""What a head's outputs lose against their targets.

Every loss is a sum of ``LossTerm``s. A term is summed over its targets; dividing by their number is left to the caller, who may
have more batches in one step. The loss that a model returns is each term's mean, added up by weight.

Shapes: T tokens with targets, B texts, C labels, S longest text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from headway.neural.packing import Packed

IGNORED = -100
"""The label of a token, or of a text, that has no target."""


@dataclass(frozen=True)
class LossTerm:
    """A loss summed over its targets, how many those are, and its part in the whole."""

    total: Tensor
    counted: int | Tensor
    weight: float = 1.0

    @property
    def targets(self) -> int:
        """How many targets these are; whoever asks a GPU waits for it, which training has no need to."""
        return int(self.counted)


def mean_loss(terms: Sequence[LossTerm]) -> Tensor:
    """The terms' means by weight; a term without targets is zero."""
    return torch.stack([term.total * (term.weight / max(1, term.targets)) for term in terms]).sum()


def class_term(logits: Tensor, targets: Tensor, *, weights_C: Tensor | None = None, smoothing: float = 0.0) -> LossTerm:
    """Cross-entropy; ``IGNORED`` targets do not count.

    ``weights`` says how much a target of each class counts; ``smoothing`` is the share of each that is spread evenly over all
    classes (Szegedy et al., 2016, arXiv:1512.00567, section 7).
    """
    flat = logits.float().view(-1, logits.shape[-1])
    total = F.cross_entropy(
        flat, targets.flatten(), weight=weights_C, ignore_index=IGNORED, reduction="sum", label_smoothing=smoothing
    )
    return LossTerm(total, (targets != IGNORED).sum())


def text_term(logits_BC: Tensor, targets: Tensor, problem: str) -> LossTerm:
    """A sequence classifier's loss: squared error for numbers, binary cross-entropy for several labels a text, or by class."""
    if problem == "regression":
        total = F.mse_loss(logits_BC.float().squeeze(-1), targets.float().view_as(logits_BC.squeeze(-1)), reduction="sum")
        return LossTerm(total, targets.numel())
    if problem == "multi_label_classification":
        total = F.binary_cross_entropy_with_logits(logits_BC.float(), targets.float(), reduction="sum")
        return LossTerm(total, targets.numel())
    return class_term(logits_BC, targets)


def replaced_term(logits_T: Tensor, targets_T: Tensor) -> LossTerm:
    """Binary cross-entropy of each token: 1 where it was replaced. ``IGNORED`` targets do not count."""
    counted_T = targets_T != IGNORED
    found_T = F.binary_cross_entropy_with_logits(logits_T.float(), targets_T.float(), reduction="none")
    return LossTerm(found_T.where(counted_T, 0.0).sum(), counted_T.sum())


def answer_terms(logits_T2: Sequence[Tensor], targets_B2: Sequence[Tensor], packed: Packed) -> list[LossTerm]:
    """Cross-entropy over each text's own tokens, for an answer's first and last; each weighs half.

    Targets are numbers of tokens in their text, in packed order; one that is no token of its text does not count.
    """
    return [_place_term(logits_T, targets_B, packed) for logits_T, targets_B in zip(logits_T2, targets_B2, strict=True)]


def _place_term(logits_T: Tensor, targets_B: Tensor, packed: Packed) -> LossTerm:
    lengths_B = packed.text_lengths
    slots_BS = torch.arange(max(packed.lengths), device=packed.device) < lengths_B[:, None]
    floor = torch.finfo(torch.float32).min
    logits_BS = torch.full(slots_BS.shape, floor, device=packed.device).masked_scatter(slots_BS, logits_T.float())
    inside_B = (targets_B >= 0) & (targets_B < lengths_B)
    term = class_term(logits_BS, targets_B.where(inside_B, IGNORED))
    return LossTerm(term.total, term.counted, 0.5)
