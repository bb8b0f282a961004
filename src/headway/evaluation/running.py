"""Answers measured one by one. What grows with the rows is what the measure keeps of each; the worst mistakes stay few."""

import heapq
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from headway.errors import DataError
from headway.evaluation.report import Mistake
from headway.evaluation.rows import Counts, Data, LabelledRow, Reader, row_error
from headway.inference import Pipeline
from headway.inference.schedule import Answered
from headway.tasks import Scorer
from headway.tasks.sentence_scorer import SentenceScorer


@dataclass(frozen=True, kw_only=True)
class Measure:
    """All that is decided before the first row is answered."""

    scorer: Scorer
    reader: Reader
    source: Data
    options: Mapping[str, Any]
    """The options of the pipeline's call."""
    chosen: Mapping[str, Any]
    """All options of the task."""
    labels: tuple[str, ...] = ()
    """The labels that answers have, where the measure is one of labels."""
    notes: tuple[str, ...] = ()
    """What was taken for granted."""


@dataclass
class Worst:
    """The worst mistakes so far."""

    most: int
    heap: list[tuple[float, int, Mistake]] = field(default_factory=list)

    def offer(self, row: LabelledRow, answer: Any, scorer: Scorer) -> None:
        """Keep the row if it is wrong, and worse than one of those kept; of equally bad ones the first stay."""
        wrongness = scorer.wrongness(answer, row.reference) if self.most else 0.0
        if wrongness > 0:
            shown = scorer.similarities(answer) if isinstance(scorer, SentenceScorer) else answer
            heapq.heappush(self.heap, (wrongness, -row.number, Mistake(row.number, row.item, row.reference, shown, wrongness)))
            if len(self.heap) > self.most:
                heapq.heappop(self.heap)

    def sorted(self) -> tuple[Mistake, ...]:
        """The worst first."""
        return tuple(mistake for *_, mistake in sorted(self.heap, key=lambda kept: kept[:2], reverse=True))


@dataclass
class Run:
    """What is kept of the rows that were answered."""

    scorer: Scorer
    worst: Worst
    counts: Counts = field(default_factory=Counts)
    observations: list[Any] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0

    def add(self, answered: Answered, row: LabelledRow) -> None:
        """Observe one answer, and let go of it."""
        try:
            self.observations.append(self.scorer.observe(answered.answer, row.reference))
            self.worst.offer(row, answered.answer, self.scorer)
        except DataError as error:
            raise row_error(error, row.number, self.counts) from error
        self.tokens += answered.tokens


class Step(Protocol):
    """Moves a progress bar on by one."""

    def __call__(self) -> object:
        """Move it."""
        ...


def run(ready: Pipeline, measure: Measure, *, limit: int | None, worst: int, progress: bool = False) -> Run:
    """All rows answered and observed. Rows that can be read again are looked at before the model is asked for anything."""
    total = None if measure.source.once else survey(measure, limit)
    done = Run(measure.scorer, Worst(worst))
    waiting: deque[LabelledRow] = deque()
    items = _remembered(measure.reader.read(measure.source, done.counts, limit=limit), waiting)
    started = time.perf_counter()
    with _bar(total, shown=progress) as step:
        for answered in ready.stream(items, **measure.options):
            done.add(answered, waiting.popleft())
            step()
    done.seconds = time.perf_counter() - started
    if not done.observations:
        raise _nothing_measured(measure.source, done.counts)
    return done


def survey(measure: Measure, limit: int | None) -> int:
    """How many rows will be measured. One that cannot be read is said now, not after an hour."""
    counts = Counts()
    total = sum(1 for _ in measure.reader.read(measure.source, counts, limit=limit))
    if not total:
        raise _nothing_measured(measure.source, counts)
    return total


def _remembered(rows: Iterable[LabelledRow], waiting: deque[LabelledRow]) -> Iterator[Any]:
    """The inputs, each row kept until its answer comes: the schedule reads ahead only a little."""
    for row in rows:
        waiting.append(row)
        yield row.item


@contextmanager
def _bar(total: int | None, *, shown: bool) -> Iterator[Step]:
    if not shown:
        yield lambda: None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit=" rows", desc="Evaluating", mininterval=0.2) as bar:
        yield bar.update


def _nothing_measured(source: Data, counts: Counts) -> DataError:
    return DataError(
        f"None of the {counts.rows:,} rows of {source.name} tells its reference (it is empty or -1), as in a test set whose "
        "labels are withheld. Give rows with references, such as a validation set."
    )
