"""What lies inside teacher and student made alike: TinyBERT's states and attention, MiniLM's relations. No labels are needed.

Both read the same packed texts; each token is worth the same.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from headway.compress.depth import matched
from headway.compress.losses import squares_sum
from headway.compress.relations import relations_sum, scores_sum
from headway.compress.taps import tapped
from headway.compress.widths import mapped
from headway.core.batching import TokenSequence
from headway.errors import ConfigError
from headway.neural.model import EncoderModel
from headway.neural.packing import pack
from headway.settings.distillation import DistillSettings
from headway.training.batch import Batch

MOST_RELATION_HEADS = 48
"""As many as MiniLMv2 takes for teachers of BERT-base's size."""


def text_only(sequences: Sequence[TokenSequence], device: torch.device) -> Batch:
    """A batch without targets."""
    nothing = torch.empty(0, dtype=torch.long, device=device)
    return Batch(pack(sequences, device=device), nothing, nothing)


def tokens_of(batch: Batch) -> float:
    """By what the loss is divided."""
    return batch.tokens


@dataclass(frozen=True)
class LayerMatching:
    """Embeddings, states and attention scores of each of the student's layers, as those of the teacher's layer that it goes with.

    States go through a learnt map where widths differ. Jiao et al., 2020, arXiv:1909.10351, section 3.1.
    """

    teacher: EncoderModel
    layers: tuple[int, ...]

    def __call__(self, model: EncoderModel, batch: Batch) -> Tensor:
        """The loss, summed over tokens."""
        with torch.no_grad():
            theirs = self.teacher.run(batch.packed, wants_scores=True, wants_hidden=True)
        ours = model.run(batch.packed, wants_scores=True, wants_hidden=True)
        assert ours.hidden is not None
        assert theirs.hidden is not None
        assert ours.weights is not None
        assert theirs.weights is not None
        total = squares_sum(mapped(model, "states", ours.hidden[0]), theirs.hidden[0])
        for number, layer in enumerate(self.layers, 1):
            total = total + squares_sum(mapped(model, "states", ours.hidden[number]), theirs.hidden[layer])
            total = total + scores_sum(ours.weights[number - 1], theirs.weights[layer - 1], ours.groups)
        return total


@dataclass(frozen=True)
class RelationMatching:
    """Relations between queries, keys and values of the student's last layer, as those of one layer of the teacher.

    Wang et al., 2021, arXiv:2012.15828 (MiniLMv2: q-q, k-k and v-v); with q-k and v-v Wang et al., 2020, arXiv:2002.10957.
    """

    teacher: EncoderModel
    relations: tuple[str, ...]
    heads: int
    teacher_step: int

    def __call__(self, model: EncoderModel, batch: Batch) -> Tensor:
        """The loss, summed over tokens."""
        with torch.no_grad(), tapped(self.teacher, self.teacher_step) as theirs:
            self.teacher.encode(batch.packed)
        with tapped(model, -1) as ours:
            model.encode(batch.packed)
        pairs = [relation.split("-") for relation in self.relations]
        return torch.stack(
            [relations_sum((ours[a], ours[b]), (theirs[a], theirs[b]), batch.packed, heads=self.heads) for a, b in pairs]
        ).sum()


def matching(settings: DistillSettings, teacher: EncoderModel, student: EncoderModel) -> Callable[[EncoderModel, Batch], Tensor]:
    """What the recipe matches, once the two models are found to fit it."""
    theirs, ours = teacher.architecture.encoder, student.architecture.encoder
    if settings.recipe == "tinybert":
        _check_heads(teacher, student)
        return LayerMatching(teacher, matched(len(theirs.steps), len(ours.steps)))
    step = len(theirs.steps) if settings.teacher_layer is None else settings.teacher_layer
    if not 1 <= step <= len(theirs.steps):
        raise ConfigError(f"teacher_layer is {step}, but the teacher has the layers 1 to {len(theirs.steps)}. Give one of them.")
    if not settings.relations:
        raise ConfigError("relations is empty, so minilm would match nothing. Leave it out, or give some of q-q, k-k, v-v, q-k.")
    heads = relation_heads(settings.relation_heads, theirs.hidden_size, ours.hidden_size)
    return RelationMatching(teacher, settings.relations, heads, step - 1)


def relation_heads(asked: int | None, teacher: int, student: int) -> int:
    """How many relation heads there are: as asked, or the most up to 48 that divide both widths."""
    both = math.gcd(teacher, student)
    if asked is None:
        return max(count for count in range(1, min(both, MOST_RELATION_HEADS) + 1) if both % count == 0)
    if asked < 1 or both % asked:
        raise ConfigError(
            f"relation_heads is {asked}, which does not divide both the teacher's width ({teacher}) and the student's "
            f"({student}). Use a divisor of {both}."
        )
    return asked


def _check_heads(teacher: EncoderModel, student: EncoderModel) -> None:
    theirs, ours = (model.architecture.encoder.layers[0].attention.num_heads for model in (teacher, student))
    if theirs != ours:
        raise ConfigError(
            f"tinybert matches attention head by head, but the teacher has {theirs} heads and the student {ours}. Give the "
            f"student {theirs} heads, or take the recipe minilm, which divides both evenly."
        )
