"""``headway predict``: answers to texts from the command line, standard input or a file."""

import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from headway.cli._answers import best_label, check_output, counted, shown, writer
from headway.cli._texts import Source, count, source_of
from headway.cli.command import Command
from headway.settings.prediction import PredictSettings

if TYPE_CHECKING:
    from headway.inference import Pipeline


def run(settings: PredictSettings) -> None:
    """Answer the texts; print the answers or write them, and say at the end how many there were and how fast it went."""
    check_output(settings.output)
    source = source_of(settings)
    total = None if source.once else count(source.read())  # a bad row is said now, not after an hour
    ready, answered = make_pipeline(settings), Tally()
    with nullcontext(_print) if settings.output is None else writer(settings.output) as write:
        for item, answer, tokens in answers(ready, source, total, bar=settings.file is not None):
            write(item, answer)
            answered.add(answer, tokens)
    if settings.output is not None:
        print(f"{answered.summary()}. Written to {settings.output}")
    elif settings.file is not None:
        print(answered.summary(), file=sys.stderr)


def make_pipeline(settings: PredictSettings) -> "Pipeline":
    """The pipeline that the settings describe."""
    from headway.inference import pipeline

    options = {name: value for name in ("top_k", "max_length") if (value := getattr(settings, name)) is not None}
    task = settings.task or ("sentiment-analysis" if settings.model is None else None)
    return pipeline(
        task,
        settings.model,
        device=settings.device,
        engine=settings.engine,
        precision=settings.precision,
        batch_size=settings.batch_size,
        threads=settings.threads,
        revision=settings.revision,
        **options,
    )


def answers(ready: "Pipeline", source: Source, total: int | None, *, bar: bool) -> Iterator[tuple[Any, Any, int]]:
    """Each text with its answer and the number of its tokens, in order, under a progress bar if asked for."""
    waiting: deque[Any] = deque()
    found = zip(ready.stream(_remembered(source.read(), waiting)), _taken(waiting), strict=False)
    if not bar:
        yield from ((item, answered.answer, answered.tokens) for answered, item in found)
        return
    from tqdm import tqdm

    with tqdm(total=total, unit=" texts", desc="Predicting", mininterval=0.2) as progress:
        for answered, item in found:
            yield item, answered.answer, answered.tokens
            progress.update()


class Tally:
    """How many texts and tokens were answered since it was made, and with which labels."""

    def __init__(self) -> None:
        self.texts, self.tokens, self.labels = 0, 0, Counter[str]()
        self.started = time.perf_counter()

    def add(self, answer: Any, tokens: int) -> None:
        """Count one answer."""
        self.texts += 1
        self.tokens += tokens
        if (label := best_label(answer)) is not None:
            self.labels[label] += 1

    def summary(self) -> str:
        """One line that says it all."""
        seconds = max(time.perf_counter() - self.started, 1e-9)
        speed = f"{self.texts / seconds:,.0f} texts/s, {self.tokens / seconds:,.0f} tokens/s"
        labels = f"; {counted(self.labels)}" if self.labels else ""
        return f"{self.texts:,} texts in {seconds:,.1f} s ({speed}){labels}"


def _print(item: Any, answer: Any) -> None:
    print(shown(item, answer))


def _remembered(items: Iterable[Any], waiting: deque[Any]) -> Iterator[Any]:
    """The items, each kept until its answer comes: the schedule reads ahead only a little."""
    for item in items:
        waiting.append(item)
        yield item


def _taken(waiting: deque[Any]) -> Iterator[Any]:
    while True:
        yield waiting.popleft()


COMMAND = Command(summary="answer texts with a model", settings=PredictSettings, run=run)
