"""How sentence embeddings learn: the vectors of texts that are compared, near one another or apart.

Where all texts of a batch are compared with one another, the loss cannot be divided into parts. Then vectors are computed a few
texts at a time, and once more in the backward pass, so that memory holds the layers' states of a few texts alone while the loss
is that of the whole batch. Gao et al., 2021, arXiv:2101.06983, section 3.2.

Shapes: B texts, T tokens, D hidden, V values of a vector, Q rows, C candidates, M texts that are no row's first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from headway.errors import ConfigError, DataError, TaskError
from headway.neural.heads import mean_of_texts
from headway.neural.model import EncoderModel
from headway.neural.outputs import PackedOutputs
from headway.neural.packing import Packed
from headway.settings.training import TrainingArguments
from headway.tasks import Example
from headway.tasks.numbers import identity, sigmoid
from headway.tasks.sentence_folder import write_side_files
from headway.tasks.sentence_modules import EPSILON, Dense, LayerNorm, Step, gelu, relu, silu
from headway.tasks.sentence_transformer import SideFiles, read_side_files
from headway.training.batch import Batch
from headway.training.objectives.heads import Objective, pack_examples, with_choices
from headway.training.parts import pieces_of
from headway.training.reading import folder_of

POOLED: Mapping[str, Callable[[Tensor, Packed], Tensor]] = {
    "mean": mean_of_texts,
    "cls": lambda states_TD, packed: states_TD[packed.first_B],
}
"""The poolings that can be learnt with."""
ACTIVATIONS: Mapping[Callable[[np.ndarray], np.ndarray], Callable[[Tensor], Tensor]] = {
    np.tanh: torch.tanh,
    identity: lambda vectors: vectors,
    relu: torch.relu,
    gelu: F.gelu,
    sigmoid: torch.sigmoid,
    silu: F.silu,
}
"""Torch's function for each activation of a dense layer."""
OF_SCORES = ("cosent", "cosine")
COMPARES_ALL = ("cosent", "multiple-negatives")
"""The losses in which all texts of a batch are compared with one another."""


@dataclass(frozen=True, kw_only=True)
class Rows(Batch):
    """Rows of texts that are compared. ``same`` says which of all others is the same text as a row's own, (rows, others)."""

    same: Tensor


@dataclass(frozen=True, kw_only=True)
class VectorObjective:
    """What vectors are made of, and what they learn by. ``of_scores`` is the loss of pairs with a similarity."""

    side: SideFiles
    of_scores: str
    scale: float
    limits: tuple[float, float]
    """The least and the largest similarity of the data."""
    at_once: int | None

    def batch(self, examples: Sequence[Example], device: torch.device) -> Rows:
        """The rows as one packed batch: their similarities as targets, or 0 where the first of the others belongs."""
        kinds = {type(example.target) for example in examples}
        targets = torch.tensor([example.target for example in examples], device=device)
        made = with_choices(pack_examples(examples, device), [len(example.sequences) for example in examples], targets)
        loss = "multiple-negatives" if kinds == {int} else self.of_scores
        return Rows(
            made.packed,
            made.places,
            made.targets,
            same=same_texts(examples).to(device),
            compares_all=loss in COMPARES_ALL,
            at_once=self.at_once,
        )

    def loss_sum(self, model: EncoderModel, batch: Batch) -> Tensor:
        """The loss, summed over rows; vectors are computed in pieces where the batch says so."""
        if batch.at_once is None or batch.tokens <= batch.at_once:
            return self.loss_of(self.vectors(model.encode(batch.packed), batch.packed), batch)
        pieces = pieces_of(batch.packed, batch.at_once)
        found = [checkpoint(self._encoded, model, piece, use_reentrant=False) for piece in pieces]
        return self.loss_of(torch.cat([vectors for vectors in found if vectors is not None]), batch)

    def loss(self, model: EncoderModel, found: PackedOutputs, batch: Batch) -> Tensor:
        """The same from the model's outputs."""
        return self.loss_of(self.vectors(found.tokens["last_hidden_state"], batch.packed), batch)

    def vectors(self, states_TD: Tensor, packed: Packed) -> Tensor:
        """Each text's vector, (texts, values), in packed order."""
        pooled_BD = POOLED[self.side.pooling[0]](states_TD.float(), packed)
        for step in self.side.steps:
            pooled_BD = _through(step, pooled_BD)
        return pooled_BD

    def loss_of(self, vectors_BV: Tensor, batch: Batch) -> Tensor:
        """The loss that fits the targets, summed over rows."""
        assert isinstance(batch, Rows)
        units_BV = F.normalize(vectors_BV, dim=-1)
        if not batch.targets.is_floating_point():
            return multiple_negatives_sum(units_BV, batch.places, batch.same, scale=self.scale)
        found_Q = (units_BV[batch.places[:, 0]] * units_BV[batch.places[:, 1]]).sum(-1)
        if self.of_scores == "cosent":
            return cosent_sum(found_Q, batch.targets, scale=self.scale)
        low, high = self.limits
        wanted_Q = batch.targets if (low, high) == (-1, 1) else (batch.targets - low) / (high - low)
        return F.mse_loss(found_Q, wanted_Q, reduction="sum")

    def write(self, folder: Path, model: EncoderModel) -> None:
        """Write what makes a folder with the model one of sentence-transformers."""
        write_side_files(folder, self.side, width=model.architecture.encoder.hidden_size)

    def _encoded(self, model: EncoderModel, packed: Packed) -> Tensor:
        return self.vectors(model.encode(packed), packed)


def multiple_negatives_sum(units_BV: Tensor, places_QC: Tensor, same_QM: Tensor, *, scale: float) -> Tensor:
    """Cross-entropy of each row's text over all rows' others, of which its first belongs; summed over rows.

    Cosines are multiplied by ``scale``. Of other rows, texts that are the same as the row's own are no candidates.
    Henderson et al., 2017, arXiv:1705.00652, section 4.4; van den Oord et al., 2018, arXiv:1807.03748.
    """
    others_M = places_QC[:, 1:][places_QC[:, 1:] >= 0]
    scores_QM = scale * units_BV[places_QC[:, 0]] @ units_BV[others_M].T
    counts_Q = (places_QC[:, 1:] >= 0).sum(1)
    own_Q = counts_Q.cumsum(0) - counts_Q
    return F.cross_entropy(scores_QM.masked_fill(same_QM, -torch.inf), own_Q, reduction="sum")


def cosent_sum(found_Q: Tensor, wanted_Q: Tensor, *, scale: float) -> Tensor:
    """How far pairs that should be less alike than others are more alike than these; counted as many times as there are rows.

    Su, 2022, https://kexue.fm/archives/8847; Huang et al., 2024, doi:10.1109/TASLP.2024.3402087.
    """
    apart_QQ = scale * (found_Q[:, None] - found_Q[None, :])
    wrong_N = apart_QQ[wanted_Q[:, None] < wanted_Q[None, :]]
    return len(found_Q) * torch.logsumexp(torch.cat([wrong_N.new_zeros(1), wrong_N]), dim=0)


def same_texts(examples: Sequence[Example]) -> Tensor:
    """Which of all rows' others, without each row's own first one, are the same text as that or as the row's text."""
    keys = [[tuple(sequence.ids) for sequence in example.sequences] for example in examples]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(key for row in keys for key in row))}
    others_M = np.array([numbers[key] for row in keys for key in row[1:]])
    texts_Q1, firsts_Q1 = (np.array([numbers[row[place]] for row in keys])[:, None] for place in (0, 1))
    same_QM = (others_M == texts_Q1) | (others_M == firsts_Q1)
    own_Q = np.cumsum([0, *(len(row) - 1 for row in keys[:-1])])
    same_QM[np.arange(len(keys)), own_Q] = False
    return torch.from_numpy(same_QM)


def vector_objective(model: EncoderModel, arguments: TrainingArguments) -> Objective:
    """How vectors are learnt that are made as the model's folder says, by the mean of the tokens where it says nothing."""
    side = side_of(model, arguments.max_length)
    if len(side.pooling) != 1 or side.pooling[0] not in POOLED:
        raise TaskError(
            f"{model.name_or_path} pools by {', '.join(side.pooling)}, but sentence embeddings are learnt with "
            f"{' or '.join(POOLED)} here. Begin with a model that pools so, or remove modules.json for the mean."
        )
    _check(arguments)
    low, high = tuple(arguments.similarity_range) or (0.0, 1.0)
    of_scores = arguments.loss if arguments.loss in OF_SCORES else OF_SCORES[0]
    how = VectorObjective(
        side=side,
        of_scores=str(of_scores),
        scale=arguments.similarity_scale,
        limits=(low, high),
        at_once=arguments.tokens_at_once,
    )
    return _objective(how, arguments)


def _check(arguments: TrainingArguments) -> None:
    given = arguments.similarity_range
    if given and (len(given) != 2 or not given[0] < given[1]):
        raise ConfigError(
            f"similarity_range is {tuple(given)}, but it is two numbers, the least and the largest similarity. Give 0 5, or "
            "leave it out."
        )
    if arguments.similarity_scale <= 0:
        raise ConfigError(
            f"similarity_scale is {arguments.similarity_scale}, so nothing would be learnt. Use a positive number, such as 20."
        )
    if arguments.tokens_at_once is not None and arguments.tokens_at_once < 1:
        raise ConfigError(f"tokens_at_once is {arguments.tokens_at_once}, but it counts tokens. Use 4096, or None for no limit.")


def side_of(model: EncoderModel, max_length: int | None) -> SideFiles:
    """What the folder that a model came from says of its vectors, but for their length; its tokens' mean where there is none."""
    side = read_side_files(folder_of(model))
    limits = (max_length, side.max_length, model.architecture.encoder.max_tokens)
    return replace(side, max_length=int(min(limit for limit in limits if limit is not None)))


def _objective(how: VectorObjective, arguments: TrainingArguments) -> Objective:
    return Objective(
        batch=how.batch,
        loss_sum=how.loss_sum,
        loss=how.loss,
        fit=partial(_fitted, how, arguments),
        write=how.write,
        has_logits=False,
    )


def _fitted(how: VectorObjective, arguments: TrainingArguments, examples: Sequence[Example]) -> tuple[Objective, list[str]]:
    """The objective for these rows, and what of it was told by them, in words."""
    kinds = {type(example.target) for example in examples}
    if len(kinds) > 1:
        raise DataError(
            "Some rows of train_dataset have a similarity, and some have texts that belong together. Give rows of one form."
        )
    if kinds == {int}:
        return _objective(how, arguments), _of_texts(how, arguments, examples)
    if arguments.loss == "multiple-negatives":
        raise ConfigError(
            "loss is 'multiple-negatives', which learns from texts that belong together, but the rows are pairs with a "
            "similarity. Use loss='cosent' or 'cosine', or columns anchor and positive."
        )
    limits = _limits([example.target for example in examples], arguments.similarity_range)
    told = f"Loss: {how.of_scores}, for pairs with a similarity"
    said = "" if how.of_scores == "cosent" else f"; those from {limits[0]:g} to {limits[1]:g} are learnt as cosines"
    fitted = replace(how, limits=limits)
    return _objective(fitted, arguments), [f"{told}{said}." if said else f"{told}, of which only the order counts."]


def _of_texts(how: VectorObjective, arguments: TrainingArguments, examples: Sequence[Example]) -> list[str]:
    """What is said of learning from texts that belong together; settings that do not fit them are a ``ConfigError``."""
    if arguments.loss in OF_SCORES:
        raise ConfigError(
            f"loss is {arguments.loss!r}, which learns similarities, but the rows have none: they are texts that belong "
            "together. Use loss='multiple-negatives', or leave it out."
        )
    rows = arguments.per_device_train_batch_size
    others = sum(len(example.sequences) - 2 for example in examples) / len(examples)
    if rows == 1 and not others:
        raise ConfigError(
            "per_device_train_batch_size is 1, so no text would be compared with another than the one that belongs to it, and "
            "nothing would be learnt. Use 32 or more."
        )
    own = f" and {others:.3g} of its own" if others else ""
    return [
        f"Loss: multiple-negatives. Each text is to find the one that belongs among those of its batch: with {rows} rows it has "
        f"{rows - 1} others{own}. More rows are harder and better; accumulated batches do not see one another."
    ]


def _limits(similarities: Sequence[float], given: Sequence[float]) -> tuple[float, float]:
    """The least and the largest similarity: as given, or the data's, rounded outwards to whole numbers."""
    least, most = min(similarities), max(similarities)
    low, high = tuple(given) or (float(np.floor(least)), float(np.ceil(most)))
    if not low <= least <= most <= high or low == high:
        raise DataError(
            f"The similarities of train_dataset are {least:g} to {most:g}, which do not lie between {low:g} and {high:g} or are "
            "all the same. Give similarity_range=(LEAST, MOST) of the scale that they are on."
        )
    return low, high


def _through(step: Step, vectors_BV: Tensor) -> Tensor:
    """What one of the folder's modules makes of the vectors; its weights stay as they are."""
    match step:
        case Dense():
            weight, bias = _constant(step.weight, vectors_BV), None if step.bias is None else _constant(step.bias, vectors_BV)
            return ACTIVATIONS[step.activation](F.linear(vectors_BV, weight, bias))
        case LayerNorm():
            weight, bias = (_constant(array, vectors_BV) for array in (step.weight, step.bias))
            return F.layer_norm(vectors_BV, weight.shape, weight, bias, eps=EPSILON)
        case _:
            return F.normalize(vectors_BV, dim=-1)


def _constant(array: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(array).to(like)
