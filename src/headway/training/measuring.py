"""A model measured while it is trained: its loss, and its answers by the task's own measure, as ``headway evaluate`` has them.

Of each batch's outputs only what the measure needs is kept, unless logits are asked for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from headway.core.batching import plan_batches
from headway.errors import DataError
from headway.neural.losses import IGNORED
from headway.neural.model import EncoderModel
from headway.neural.outputs import PackedOutputs
from headway.neural.packing import Packed
from headway.tasks import Example
from headway.training.labelled import Asked, Measurable
from headway.training.objectives.heads import Objective, pack_examples
from headway.training.out_of_memory import run_what_fits
from headway.training.processes import Processes, current
from headway.training.step import Precision

EVALUATION_TOKENS = 8192

Outputs: TypeAlias = dict[str, np.ndarray]
"""What the model gives for one sequence, by transformers' names."""


@dataclass
class Measured:
    """What was found: the mean loss where there are targets, scores where answers are measured, logits where asked for."""

    loss: float | None = None
    scores: Mapping[str, float] | None = None
    logits: list[tuple[np.ndarray, ...]] = field(default_factory=list)
    """The arrays of each example, by the names of the model's outputs."""


def measure(
    model: EncoderModel,
    rows: Measurable,
    objective: Objective,
    *,
    precision: Precision,
    keep_logits: bool,
    tell: Callable[[], None] = lambda: None,
) -> Measured:
    """The model's loss, scores and logits on the rows. Batches are length-sorted, within a token budget and what memory holds.

    ``tell`` is called after each batch. The model should be in evaluation mode.
    """
    examples, answers = rows.examples, None if rows.asked is None else Answers(rows.asked)
    firsts = np.cumsum([0, *(len(example.sequences) for example in examples)])
    logits: list[Any] = [()] * len(examples)
    terms: list[tuple[int, float, int]] = []

    def run(indices: Sequence[int]) -> tuple[float, int, list[list[Outputs]]]:
        chosen = [examples[index] for index in indices]
        batch = objective.batch(chosen, model.device) if rows.is_labelled else None
        packed = pack_examples(chosen, model.device) if batch is None else batch.packed
        found = model.predict(model.encode(packed), packed)
        loss = 0.0 if batch is None else float(objective.loss(model, found, batch))
        outputs = by_sequence(found, packed)
        return loss, batch.count if batch else 0, [list(islice(outputs, len(example.sequences))) for example in chosen]

    plan = plan_batches([example.tokens for example in examples], max_tokens=EVALUATION_TOKENS)
    places = {index: place for place, index in enumerate(index for batch in plan for index in batch)}
    processes = current()
    with torch.inference_mode(), precision():
        for indices, (loss, count, outputs) in run_what_fits(run, plan[processes.rank :: processes.count], device=model.device):
            terms.append((places[indices[0]], loss, count))
            for index, own in zip(indices, outputs, strict=True):
                if answers is not None:
                    answers.add(int(firsts[index]), own)
                if keep_logits:
                    logits[index] = together(own)
            tell()
    terms = sorted(one for theirs in processes.gathered(terms) for one in theirs)  # added up in one order, however shared out
    mean = sum(term[1] for term in terms) / (sum(term[2] for term in terms) or 1.0) if rows.is_labelled else None
    if answers is not None:
        answers.add_others(processes)
    logits = [next(filter(len, row), ()) for row in zip(*processes.gathered(logits), strict=True)] if keep_logits else []
    return Measured(mean, None if answers is None else answers.scores(), logits)


class Answers:
    """Answers as they become whole, of which only observations are kept."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        counts = [len(encoded.sequences) for encoded in asked.inputs]
        self.owners = np.repeat(np.arange(len(counts)), counts)
        self.firsts = np.cumsum([0, *counts])
        self.parts: dict[int, dict[int, Any]] = {}
        self.observations: list[Any] = [None] * len(counts)

    def add(self, first: int, outputs: Sequence[Outputs]) -> None:
        """Take the outputs of sequences from the ``first`` on, counted over all inputs."""
        for place, output in enumerate(outputs, first):
            owner = int(self.owners[place])
            encoded, part = self.asked.inputs[owner], place - int(self.firsts[owner])
            parts = self.parts.setdefault(owner, {})
            parts[part] = self.asked.prepared.reduce(output, encoded, part=part)
            if len(parts) == len(encoded.sequences):
                self._observe(owner, [parts[number] for number in range(len(parts))])

    def add_others(self, processes: Processes) -> None:
        """Take what other processes found: whole answers, and parts of answers that several have parts of."""
        if processes.count == 1:
            return
        found = processes.gathered((self.observations, self.parts))
        parts: dict[int, dict[int, Any]] = {}
        for observations, theirs in found:
            self.observations = [
                own if own is not None else other for own, other in zip(self.observations, observations, strict=True)
            ]
            for owner, some in theirs.items():
                parts.setdefault(owner, {}).update(some)
        self.parts = parts
        for owner, some in list(parts.items()):
            self._observe(owner, [some[number] for number in range(len(some))])

    def scores(self) -> dict[str, float]:
        """The measures of all answers."""
        scorer = self.asked.scorer
        return scorer.scores(scorer.gather(self.observations))

    def _observe(self, owner: int, parts: Sequence[Any]) -> None:
        answer = self.asked.prepared.decode(parts, self.asked.inputs[owner])
        del self.parts[owner]
        try:
            self.observations[owner] = self.asked.scorer.observe(answer, self.asked.references[owner])
        except DataError as error:
            raise type(error)(f"Row {owner}: {error}") from error


def by_sequence(found: PackedOutputs, packed: Packed) -> Iterator[Outputs]:
    """The outputs of each sequence, in the caller's order."""
    texts = {name: _numbers(packed.unsorted(values_B)) for name, values_B in found.texts.items()}
    tokens = {name: _numbers(values_T) for name, values_T in found.tokens.items()}
    places = dict(zip(packed.order_B.tolist(), packed.first_B.tolist(), strict=True))
    lengths = dict(zip(packed.order_B.tolist(), packed.lengths, strict=True))
    for index in range(len(lengths)):
        own = slice(places[index], places[index] + lengths[index])
        yield {name: values[index] for name, values in texts.items()} | {name: values[own] for name, values in tokens.items()}


def together(outputs: Sequence[Outputs]) -> tuple[np.ndarray, ...]:
    """The arrays of an example: those of its sequence, or its choices' logits, (choices,)."""
    if len(outputs) == 1:
        return tuple(outputs[0].values())
    return tuple(np.concatenate([one[name] for one in outputs]) for name in outputs[0])


def stacked(arrays: Sequence[Any]) -> np.ndarray:
    """One array of all; where they are of unequal length with ``IGNORED`` behind the shorter, as transformers fills them."""
    values = [np.asarray(array) for array in arrays]
    if len({value.shape for value in values}) == 1:
        return np.stack(values)
    longest = max(map(len, values))
    filled = np.full((len(values), longest, *values[0].shape[1:]), IGNORED, dtype=values[0].dtype)
    for row, value in enumerate(values):
        filled[row, : len(value)] = value
    return filled


def predictions(logits: Sequence[tuple[np.ndarray, ...]]) -> Any:
    """The logits of all examples: an array, or a tuple of one for each of the model's outputs."""
    columns = tuple(stacked(column) for column in zip(*logits, strict=True))
    return columns[0] if len(columns) == 1 else columns


def label_ids(targets: Sequence[Any]) -> Any:
    """The targets of all examples: an array, or for answers one of the first and one of the last tokens."""
    if isinstance(targets[0], tuple) and isinstance(targets[0][0], int):
        return tuple(np.array(ends) for ends in zip(*targets, strict=True))
    return stacked(targets)


def input_ids(examples: Sequence[Example]) -> np.ndarray:
    """The ids of all examples' tokens, (examples, tokens) or (examples, choices, tokens), with ``IGNORED`` behind them."""
    choices = max(len(example.sequences) for example in examples)
    longest = max(len(sequence) for example in examples for sequence in example.sequences)
    filled = np.full((len(examples), choices, longest), IGNORED)
    for row, example in enumerate(examples):
        for place, sequence in enumerate(example.sequences):
            filled[row, place, : len(sequence)] = sequence.ids
    return filled if choices > 1 else filled[:, 0]


def _numbers(values: Tensor) -> np.ndarray:
    found: np.ndarray = values.float().cpu().numpy()
    return found
