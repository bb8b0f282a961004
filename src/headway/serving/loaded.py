"""A model made ready to be served: where it comes from, its engine, what can be asked of it, and its self-test."""

import hashlib
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headway.checkpoints import locate
from headway.core.hashes import content_hash
from headway.errors import EngineError, HeadwayError, TaskError
from headway.inference import pipeline
from headway.inference.engine import Engine
from headway.serving.attention import Attention
from headway.serving.exchange import Served
from headway.tasks import ModelFacts, Prepared, Task, task_names, token_limit
from headway.tasks import task as find_task

SELF_TEST = ("A self-test of the model.", "It reads two texts of unequal length, and the numbers have to be finite.")
MOST_PREPARED = 256
"""Choices of options that are kept ready for a model; of these the least used make room."""
LONGEST_KEY = 4096


@dataclass(frozen=True, kw_only=True)
class Source:
    """A model of the operator's list: what requests call it, where it is, and the task where one was named."""

    name: str
    model: str | None
    task: str | None = None
    revision: str | None = None
    precision: str = "auto"


@dataclass(eq=False)
class Loaded:
    """A model that runs, with what was prepared for the options that were asked for. Safe to use from several threads."""

    source: Source
    served: Served
    engine: Engine
    is_retired: bool = False
    """Another version has taken its place."""
    attention: Attention = field(default_factory=Attention)
    _prepared: OrderedDict[tuple[str, bytes], Prepared] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def prepare(self, task: Task, options: Mapping[str, Any]) -> Prepared:
        """The task made ready for these options; a choice that was made before is ready at once."""
        key = (task.name, _key(options))
        with self._lock:
            if key in self._prepared:
                self._prepared.move_to_end(key)
                return self._prepared[key]
        made = task.prepare(self.served.facts, task.choose(options))
        if len(key[1]) <= LONGEST_KEY:
            with self._lock:
                self._prepared[key] = made
                while len(self._prepared) > MOST_PREPARED:
                    self._prepared.popitem(last=False)
        return made


def load(source: Source, *, threads: int | None) -> Loaded:
    """The model, loaded and tested. Whatever is wrong with its files is an error that says so."""
    ready = pipeline(source.task, source.model, threads=threads, precision=source.precision, revision=source.revision)
    folder = ready.facts.folder
    assert folder is not None
    task = find_task(ready.task)
    served = Served(
        name=source.name,
        task=task.name,
        tasks=tuple(tasks_of(task, ready.facts)),
        version=version_of(folder),
        precision=ready.engine.precision,
        max_tokens=token_limit(ready.tokenizer, ready.config),
        facts=ready.facts,
        revision=folder.name if folder.parent.name == "snapshots" else None,
        loaded_at=time.time(),
    )
    self_test(served, ready.engine)
    return Loaded(source, served, ready.engine)


def self_test(served: Served, engine: Engine) -> None:
    """Run two texts of unequal length together: what cannot run, or gives numbers that are none, is an ``EngineError``."""
    found = engine.run(served.tokenizer.encode_sequences(SELF_TEST, max_length=served.max_tokens))
    if not all(np.isfinite(values).all() for outputs in found for values in outputs.values()):
        raise EngineError(
            f"The model {served.name} did not pass its self-test: some of its outputs are no finite numbers, so its weights are "
            "damaged. Export or download it again."
        )


def version_of(folder: Path) -> str:
    """A fingerprint of all files of a folder, by name and content."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    said = "\n".join(f"{path.relative_to(folder).as_posix()}:{content_hash(path)}" for path in files)
    return hashlib.sha256(said.encode()).hexdigest()


def current_version(source: Source) -> str | None:
    """The fingerprint of the files where the source is now; None where its task's usual model is meant."""
    return None if source.model is None else version_of(locate(source.model, revision=source.revision))


def tasks_of(task: Task, facts: ModelFacts) -> list[str]:
    """All tasks that the model's head can do, its own first."""
    others = [name for name in task_names() if name != task.name and _can(find_task(name), task, facts)]
    return [task.name, *others]


def _can(other: Task, own: Task, facts: ModelFacts) -> bool:
    """Whether a model of one task's does another: the head is the same, and preparing it says nothing against it."""
    if other.head != own.head:
        return False
    options: dict[str, Any] = {}
    if other.name == "zero-shot-classification":
        if not any(label.lower().startswith("entail") for label in facts.config.id2label.values()):
            return False  # preparing it would guess which label means entailment, and warn; only an operator may ask for that
        options = {"candidate_labels": ["one"]}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a model that may not be meant for it does not offer it
            other.prepare(facts, other.choose(options))
    except (HeadwayError, UserWarning):
        return False
    return True


def sources(words: Sequence[str], *, revision: str | None = None, precision: str = "auto") -> list[Source]:
    """The operator's list from words: models, perhaps as NAME=MODEL, perhaps after a task; a task alone is its usual one.

    Without words it is all models that ship. Where one of these is called like a task, another one after it is its own.
    """
    from headway.checkpoints.location import shipped_models

    shipped = shipped_models()
    known, found, task = set(task_names(aliases=True)), list[Source](), None
    if not words:
        found = [Source(name=name, model=name, revision=revision, precision=precision) for name in shipped]
    for word in [*words, None]:
        if task in shipped and word in shipped:
            found.append(Source(name=str(task), model=task, precision=precision))
            task = None
        elif task is not None and (word is None or word in known):
            found.append(Source(name=task, model=None, task=task, precision=precision))
        if word is not None and word not in known:
            name, _, model = word.rpartition("=")
            found.append(Source(name=name or _name(model), model=model, task=task, revision=revision, precision=precision))
        task = word if word in known else None
    _check(found, revision)
    return found


def _check(found: Sequence[Source], revision: str | None) -> None:
    names = [(source.name, source.task) for source in found]
    if twice := {name for name, task in names if names.count((name, task)) > 1}:
        raise TaskError(
            f"Two models are called {', '.join(sorted(twice))}, so a request could not say which one is meant. Name them apart: "
            "NAME=MODEL."
        )
    if revision is not None and len(found) > 1:
        raise TaskError(f"--revision {revision} is for one model, but {len(found)} are named. Leave it out, or serve one model.")


def _name(model: str) -> str:
    """What requests call a model: a folder by its last name, a Hub repository in full."""
    folder = Path(model).expanduser()
    return folder.resolve().name if folder.is_dir() else model


def _key(options: Mapping[str, Any]) -> bytes:
    """The options as bytes that are equal for equal ones."""
    return repr(sorted(options.items())).encode("utf-8", "replace") if options else b""
