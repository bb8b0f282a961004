"""What one batch of training holds, whatever the objective."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor

from headway.architecture.cost import PER_STEP, forward_operations
from headway.core.batching import TokenSequence
from headway.neural.model import EncoderModel
from headway.neural.packing import Packed, pack, placed


@dataclass(frozen=True)
class Batch:
    """Packed texts, the packed tokens or texts that have targets, and the targets.

    ``places`` are tokens, or the first tokens of texts, (targets,); for choices the texts of each question, (questions,
    choices), -1 where one has fewer. ``pair_labels`` are those of texts that are pairs, where tokens have targets too, (texts,)
    in packed order; ``per_text`` and ``per_token`` then say how many targets there are for each text and for each token, so that
    a second term can weigh as much as the first, also where the batch is a part of another. ``inputs`` are the padded form, for a
    loss of the user's own.
    """

    packed: Packed
    places: Tensor
    targets: Tensor
    pair_labels: Tensor | None = None
    seed: int = 0
    """Where its random numbers start: those of dropout."""
    is_idle: bool = False
    """Whether it runs only to keep step with other processes, and counts for nothing."""
    per_text: float = 1.0
    per_token: float = 1.0
    inputs: Mapping[str, Tensor] | None = None
    compares_all: bool = False
    """Whether its loss compares all of its texts with one another, so that parts of it would have another."""
    at_once: int | None = None
    """The tokens whose states such a loss keeps at once; None keeps all."""
    again: Callable[[Sequence[int]], "Batch"] | None = None
    """What makes a batch of some of its rows, by their numbers in the caller's order, where it holds more of each than this."""

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {name: placed(value, device) for name, value in values.items() if isinstance(value, Tensor)}
        moved |= {name: value.to(device) for name, value in values.items() if isinstance(value, Batch)}
        inputs = self.inputs and {name: placed(value, device) for name, value in self.inputs.items()}
        return replace(self, **moved, packed=self.packed.to(device), inputs=inputs)

    @property
    def count(self) -> int:
        """How many targets the loss is summed over: several labels of a text, or both ends of an answer, count each."""
        return int(self.targets.numel())

    @property
    def tokens(self) -> int:
        """Tokens of all texts."""
        return int(self.packed.ids_T.shape[0])


LossSum: TypeAlias = Callable[[EncoderModel, Batch], Tensor]
"""An objective's loss, summed over a batch's targets."""


Count: TypeAlias = Callable[[Batch], float]
"""By what a batch's loss is divided, summed over a step: how many targets it has, or how much they weigh."""


def step_operations(model: EncoderModel, lengths: Sequence[int], targets: int) -> int:
    """Operations of a batch's part of a training step: texts of these lengths, with so many targets."""
    return PER_STEP * forward_operations(model.architecture, lengths, targets=targets)


def text_batch(sequences: Sequence[TokenSequence], targets: Sequence[int | float], *, device: torch.device) -> Batch:
    """A batch with one target a text."""
    packed = pack(sequences, device=device)
    values = torch.tensor(targets, device=device)
    return Batch(packed, packed.first_B, values[packed.order_B])


def text_loss(model: EncoderModel, batch: Batch) -> Tensor:
    """Loss of a classifier, summed over texts."""
    return model.loss_sum(text_logits(model, batch), batch.targets)


def token_loss(model: EncoderModel, batch: Batch) -> Tensor:
    """Cross-entropy of a masked LM, summed over the tokens with targets; scores of no other token are computed."""
    return model.loss_sum(token_logits(model, batch), batch.targets)


def text_logits(model: EncoderModel, batch: Batch) -> Tensor:
    """A classifier's logits, one row a text."""
    return model.classify(model.encode(batch.packed), batch.packed)


def token_logits(model: EncoderModel, batch: Batch) -> Tensor:
    """A masked LM's logits, one row for each token that has a target."""
    return model.predict_tokens(model.encode(batch.packed).index_select(0, batch.places))


def number_of_targets(batch: Batch) -> float:
    """Each target counts as one."""
    return batch.count


def weighed_targets(batch: Batch, weights_C: Tensor) -> float:
    """Each target counts as much as its class weighs."""
    return float(weights_C[batch.targets].sum())
