"""DistilBERT's general stage: a masked LM's softened answers, the masked tokens themselves, and the direction of the last states.

Shapes: T tokens, D hidden, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from headway.compress.losses import cosine_sum, soft_sum
from headway.compress.widths import mapped
from headway.neural.model import EncoderModel
from headway.settings.distillation import DistillSettings
from headway.training.batch import Batch

TOKENS_AT_ONCE = 1024
"""Tokens whose scores for the whole vocabulary stand in memory at a time."""


@dataclass(frozen=True)
class TripleLoss:
    """Sanh et al., 2019, arXiv:1910.01108, section 3. Each term is a mean over the tokens, or the masked ones, of the whole step.

    So that a step may be divided into batches, the masked tokens are taken to be the share that is drawn on average.
    """

    settings: DistillSettings
    teacher: EncoderModel

    def __call__(self, model: EncoderModel, batch: Batch) -> Tensor:
        """The loss, summed over tokens."""
        soft, hard, cosine = self.settings.weights
        with torch.no_grad():
            theirs_TD = self.teacher.encode(batch.packed)
        ours_TD = model.encode(batch.packed)
        per_masked = 1 / self.settings.mlm_probability
        total = ours_TD.new_zeros((), dtype=torch.float32)
        if soft:
            is_all = self.settings.soft_tokens == "all"
            places = torch.arange(batch.tokens, device=model.device) if is_all else batch.places
            total = total + soft * (1.0 if is_all else per_masked) * self._soft(model, ours_TD[places], theirs_TD[places])
        if hard:
            total = total + hard * per_masked * model.loss_sum(model.predict_tokens(ours_TD[batch.places]), batch.targets)
        if cosine:
            total = total + cosine * cosine_sum(mapped(model, "last", ours_TD), theirs_TD)
        return total

    def _soft(self, model: EncoderModel, ours_TD: Tensor, theirs_TD: Tensor) -> Tensor:
        """The vocabulary is scored for some tokens at a time, and again in the backward pass, so that memory stays small."""

        def piece(ours: Tensor, theirs: Tensor) -> Tensor:
            with torch.no_grad():
                wanted = self.teacher.predict_tokens(theirs)
            return soft_sum(model.predict_tokens(ours), wanted, temperature=self.settings.heat)

        pairs = zip(ours_TD.split(TOKENS_AT_ONCE), theirs_TD.split(TOKENS_AT_ONCE), strict=True)
        found: Sequence[Tensor] = [checkpoint(piece, ours, theirs, use_reentrant=False) for ours, theirs in pairs]
        return torch.stack(list(found)).sum()
