"""``diagnose()``: a run's log, its rows and some short trainings, looked at by one check after another."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from headway.checkpoints import load_config
from headway.core.settings_files import settings_from
from headway.diagnosis.classes import check_classes
from headway.diagnosis.cuts import check_cuts
from headway.diagnosis.doubles import check_conflicts, check_leaks
from headway.diagnosis.findings import Diagnosis, Finding, gravest_first
from headway.diagnosis.fitting import check_fit
from headway.diagnosis.growth import check_growth
from headway.diagnosis.noise import CHECK as LABELS
from headway.diagnosis.noise import check_labels
from headway.diagnosis.rates import check_range, check_rate
from headway.diagnosis.rows import Sheet
from headway.diagnosis.runs import FIGURES, Kept, Laboratory, class_chances, key_of
from headway.errors import CheckpointError, DataError
from headway.settings.training import TrainSettings
from headway.tasks import ModelFacts, token_limit
from headway.tasks import task as find_task
from headway.training.finetuning import FineTuning, label_cells, label_changes, read_all
from headway.training.reporting import LOG
from headway.training.run_record import SETTINGS

FOLDER = "diagnosis"
SHARES = (8, 4, 2, 1)
"""The learning curve's parts of the data: one of so many."""
HEADS = ("sequence-classification", "token-classification", "next-sentence")
"""Heads whose targets are classes that have names."""
FEWEST_STEPS = 10


@dataclass(frozen=True, kw_only=True)
class Case:
    """A run with its data, and what a diagnosis may spend on it."""

    run: Path
    settings: TrainSettings
    train: Sheet
    valid: Sheet | None
    minutes: float
    steps: int | None
    folds: int
    limit: int
    seed: int
    progress: bool
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def laboratory(self) -> Laboratory:
        """Where short trainings are made."""
        return Laboratory(settings=self.settings, folder=self.run / FOLDER / "work", rows=self.train.rows)


def diagnose(
    run: str | Path,
    data: str | None = None,
    *,
    valid: str | None = None,
    minutes: float = 5.0,
    steps: int | None = None,
    folds: int = 4,
    limit: int = 5000,
    seed: int = 0,
    progress: bool = False,
) -> Diagnosis:
    """What keeps a run of ``headway train`` from being better, and what to do next.

    The log and the rows are looked at, the run's model is asked about the held-out rows, and short trainings with the run's own
    settings show what more data would bring, which labels are probably wrong, and which learning rates work. They take about so
    many ``minutes``, or so many ``steps`` each; what they find is kept in the run's folder, and a call that was interrupted goes
    on.
    """
    folder = Path(run)
    if not (folder / SETTINGS).is_file():
        raise CheckpointError(
            f"{folder} has no {SETTINGS}, so it is not what a run of headway train left. Name the folder that its --output-dir "
            "named."
        )
    settings = settings_from(folder / SETTINGS, TrainSettings)
    task, train, held_out = find_task(settings.task), data or settings.train, valid or settings.valid
    case = Case(
        run=folder, settings=settings, train=Sheet(task, read_all(train, settings), train),
        valid=None if held_out is None else Sheet(task, read_all(held_out, settings), held_out),
        minutes=minutes, steps=steps, folds=folds, limit=limit, seed=seed, progress=progress,
    )  # fmt: skip
    findings = [*of_the_log(case), *of_the_rows(case), *of_the_model(case)]
    if minutes or steps:
        findings += of_short_runs(case)
    return Diagnosis(run=str(run), findings=gravest_first(findings), figures=case.figures)


def of_the_log(case: Case) -> Iterator[Finding]:
    """Fit and learning rate."""
    path, settings = case.run / LOG, case.settings
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    history = [json.loads(line) for line in lines]
    last = max((entry["step"] for entry in history), default=0)
    case.figures["steps"] = last
    case.figures["scores"] = {name: value for entry in history for name, value in entry.items() if name.startswith("eval_")}
    name, length = (
        ("num_train_epochs", settings.num_train_epochs) if settings.max_steps < 1 else ("max_steps", settings.max_steps)
    )
    yield check_fit(history, length=length, setting=name)
    yield check_rate(history, rate=settings.learning_rate, clip=settings.max_grad_norm)


def of_the_rows(case: Case) -> Iterator[Finding]:
    """Rows that stand twice."""
    texts = case.train.texts()
    if case.valid is not None:
        yield check_leaks(texts, case.valid.texts())
    yield check_conflicts(texts, case.train.labels())


def of_the_model(case: Case) -> Iterator[Finding]:
    """What the run's model makes of held-out rows: of each class, of rows that are cut, and of labels that it doubts."""
    _check_labels_of_data(case)
    ready = case.laboratory.ready(case.train.rows, model=str(case.run))
    config = ready.trainer.model.config
    sheet = case.valid or case.train
    is_class = has_classes(ready)
    nothing = (np.zeros((0, 0)), np.zeros(0), np.zeros(0))
    chances, labels, _ = class_chances(ready, sheet.rows) if is_class and case.valid is not None else nothing
    right = (chances.argmax(-1) == labels) if len(labels) else np.zeros(0, dtype=bool)
    names = [config.id2label[place] for place in sorted(config.id2label)]
    if is_class:
        yield check_classes(_counts(ready), right, labels, names=names)
    else:
        yield Finding(check=LABELS, level="unknown", said="they are judged where each row or word has one, which is not so here")
    tokenizer = ready.trainer.processing_class
    assert tokenizer is not None
    facts = ModelFacts(tokenizer=tokenizer, config=config)
    longest = token_limit(tokenizer, config)
    limit = min(longest, case.settings.max_length or longest)
    read, dropped = zip(*sheet.lengths(facts, max_length=case.settings.max_length), strict=True)
    of_rows = right if len(right) == len(sheet.rows) else None
    yield check_cuts(read, dropped, of_rows, limit=limit, longest=longest, data=sheet.name)
    if is_class and case.valid is not None and len(labels) == len(sheet.rows):
        numbers = range(1, len(sheet.rows) + 1)
        yield check_labels(chances, labels, names=names, texts=sheet.texts(), numbers=numbers, data=sheet.name)


def of_short_runs(case: Case) -> Iterator[Finding]:
    """What short trainings show: rates, labels of the training data, and what more data would bring."""
    held_out = [] if case.valid is None else [*case.valid.texts(), *case.valid.labels()]
    data = [*case.train.texts(), *case.train.labels(), *held_out]
    key = key_of(case.settings, data, case.limit, case.folds, case.seed, case.steps)
    kept, lab = Kept(case.run / FOLDER / FIGURES, key), case.laboratory
    is_class = has_classes(lab.ready(case.train.rows))
    chosen = np.random.default_rng([case.seed, 1]).permutation(len(case.train.rows))[: case.limit]
    folds = case.folds if is_class and len(chosen) >= 5 * case.folds else 0
    with _bar(1 + folds + len(SHARES), shown=case.progress) as step:
        rates = kept.once("rates", lab.rates)
        step("range of learning rates")
        yield check_range(
            [(rate, np.inf if loss is None else loss) for rate, loss in rates["points"]], rate=lab.settings.learning_rate
        )
        steps = kept.once("steps", lambda: steps_within(case, rates["seconds"], runs=folds + len(SHARES)))
        case.figures.update(seconds_per_step=rates["seconds"], steps_of_short_runs=steps)
        found = []
        for number in range(folds):
            found.append(kept.once(f"fold {number}", partial(lab.fold, number, chosen, folds=folds, steps=steps)))
            step("labels")
        if found:
            yield _labels(case, lab, found)
        yield _growth(case, kept, lab, steps=steps, step=step)


def steps_within(case: Case, seconds: float, *, runs: int) -> int:
    """Steps of each short training: what the minutes allow, and at most as many as the run had."""
    if case.steps is not None:
        return case.steps
    allowed = int(60 * case.minutes / max(1e-9, seconds) / runs)
    return max(FEWEST_STEPS, min(allowed, case.figures.get("steps") or allowed))


def has_classes(ready: FineTuning) -> bool:
    """Whether what the model learns are classes that exclude each other."""
    model = ready.trainer.model
    return model.head_name in HEADS and model.config.problem_type not in ("regression", "multi_label_classification")


def _labels(case: Case, lab: Laboratory, found: Sequence[Mapping[str, Any]]) -> Finding:
    config = lab.ready(case.train.rows).trainer.model.config
    names = [config.id2label[place] for place in sorted(config.id2label)]
    places = [place for fold in found for place in fold["rows"]]
    texts = case.train.texts()
    return check_labels(
        np.array([chances for fold in found for chances in fold["chances"]]),
        np.array([label for fold in found for label in fold["labels"]]),
        names=names,
        texts=[texts[place] for place in places],
        numbers=[place + 1 for place in places],
        data=case.train.name,
    )


def _growth(case: Case, kept: Kept, lab: Laboratory, *, steps: int, step: Callable[[str], None]) -> Finding:
    order = np.random.default_rng([case.seed, 2]).permutation(len(case.train.rows))
    valid: Sequence[Mapping[str, Any]]
    if case.valid is None:
        held, order = order[: len(order) // 5], order[len(order) // 5 :]
        valid = case.train.some(held).rows
    else:
        valid = case.valid.rows[: case.limit]
    most = min(len(order), steps * lab.settings.per_device_train_batch_size)  # more would not be read in so many steps
    points = []
    for share in SHARES:
        count = most // share
        if count < 2:
            continue
        scores = kept.once(f"growth {count}", partial(lab.score, count, order, valid, steps=steps))
        step("learning curve")
        points.append((count, scores))
    name = case.settings.metric_for_best_model or next((one for one in points[-1][1] if one != "eval_loss"), "eval_loss")
    name = name if name.startswith("eval_") else f"eval_{name}"
    sign = -1.0 if name.endswith("loss") else 1.0
    last = points[-1][1][name]
    spread = float(np.sqrt(max(last * (1 - last), 0.01) / len(valid))) if 0 <= last <= 1 else 0.0
    reached = case.figures.get("scores", {}).get(name)
    case.figures["learning_curve"] = [[count, scores[name]] for count, scores in points]
    return check_growth(
        [(count, sign * scores[name]) for count, scores in points],
        metric=name.removeprefix("eval_"),
        spread=spread,
        reached=None if reached is None else sign * reached,
    )


def _check_labels_of_data(case: Case) -> None:
    """Refuse data with other labels than the model's: its head would not fit them."""
    own = load_config(case.run).id2label
    found = label_changes(case.settings, case.train.task, case.train.rows).get("id2label", own)
    if own != found:
        raise DataError(
            f"The rows of {case.train.name} have the labels {', '.join(found.values())}, but the model in {case.run} has "
            f"{', '.join(own.values())}. Give the data that the run was trained on."
        )


def _counts(ready: FineTuning) -> Counter[str]:
    task, config = find_task(ready.settings.task), ready.trainer.model.config
    return Counter(str(one) for labels in label_cells(task, ready.rows, config.id2label) for one in labels)


@contextmanager
def _bar(total: int, *, shown: bool) -> Iterator[Callable[[str], None]]:
    from tqdm import tqdm

    with tqdm(total=total, unit=" runs", disable=not shown) as bar:

        def step(doing: str) -> None:
            bar.set_description(doing)
            bar.update()

        yield step
