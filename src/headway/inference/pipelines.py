"""``pipeline()``: a task and a model, ready to be called with texts. The names and answers are those of transformers."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.checkpoints import load_config, locate
from headway.core.config import closest
from headway.errors import CheckpointError, ConfigError, TaskError
from headway.inference.arguments import Arguments, understood, without_effect
from headway.inference.defaults import announce, default_model
from headway.inference.engine import Engine
from headway.inference.inputs import read_inputs
from headway.inference.loading import load_engine
from headway.inference.memory import engine_in_memory
from headway.inference.schedule import Answered, Place, places, stream
from headway.tasks import Call, ModelFacts, Prepared, Task, TaskOptions, task_names, task_of, token_limit
from headway.tasks import task as find_task
from headway.tasks.note import noted_options, noted_task
from headway.tasks.task import plain

if TYPE_CHECKING:
    from headway.text import Tokenizer


class Pipeline:
    """Texts in, answers out. Safe to call from several threads.

    A list, or another collection whose length is known, is answered with a list; a generator with a generator, which reads
    ahead only a little. Options given here hold for every call and those of a call win over them.
    """

    def __init__(
        self,
        task: Task,
        engine: Engine,
        tokenizer: "Tokenizer",
        *,
        folder: Path | None = None,
        batch_size: int | None = None,
        **options: Any,
    ) -> None:
        self.task = task.name
        self.engine = engine
        self.tokenizer = tokenizer
        self.config = engine.config
        self._task = task
        _check(tokenizer, engine, folder)
        self.facts = ModelFacts(tokenizer=tokenizer, config=engine.config, folder=folder)
        self._batch_size = checked_batch_size(batch_size)
        self._options = options
        self.prepared = self._prepare({})

    def __call__(self, *arguments: Any, batch_size: int | None = None, **named: Any) -> Any:
        """The answer to one input, a list of answers to many, or a generator of answers to a generator.

        What an input is depends on the task, as in transformers: a text, a pair ``{"text": …, "text_pair": …}``, ``question=``
        and ``context=`` … Options win over those given to the pipeline.
        """
        inputs, options = self._task.read_call(arguments, without_effect(named))
        prepared = self._prepare(options) if options else self.prepared
        at_call = frozenset(options)
        given = at_call | frozenset(self._options)
        kind, items = read_inputs(inputs)
        answers = self._stream(items, prepared, batch_size, numbered=kind in ("list", "stream"))
        if kind == "stream":
            return (prepared.present([found.answer], Call("item", at_call, given)) for found in answers)
        found = [answered.answer for answered in answers]
        return prepared.present(found, Call(kind, at_call, given)) if found else []

    def stream(self, items: Iterable[Any], *, batch_size: int | None = None, **options: Any) -> Iterator[Answered]:
        """Each item's answer in its plain form, how many tokens were read for it, and with ``count_dropped`` how many were not.

        Answers come while later items are still read, so that a stream of any length takes the memory of a few batches.
        """
        chosen = without_effect(options)
        return self._stream(read_inputs(items)[1], self._prepare(chosen) if chosen else self.prepared, batch_size)

    def places(self, items: Iterable[Any]) -> Iterator[Place]:
        """Each item's answer or the error that it met, in order: for those who go on after an error."""
        return places(items, self.prepared, self.engine, most_tokens=self._most_tokens(None))

    def choose(self, **options: Any) -> TaskOptions:
        """The task's options of a call that gives these."""
        return self._task.choose({**self._options, **options})

    def as_learnt(self) -> "Pipeline":
        """The same model with the task by whose rows and measure this one is learnt; itself for most.

        Of the options those hold that both tasks have.
        """
        task = self._task.as_learnt
        if task is self._task:
            return self
        known = {field.name for field in fields(task.options)}
        options = {name: value for name, value in self.choose().to_dict().items() if name in known}
        return Pipeline(task, self.engine, self.tokenizer, folder=self.facts.folder, batch_size=self._batch_size, **options)

    def __repr__(self) -> str:
        return f"Pipeline(task={self.task!r}, model_type={self.config.model_type!r}, precision={self.engine.precision!r})"

    def _prepare(self, options: Mapping[str, Any]) -> Prepared:
        return self._task.prepare(self.facts, self.choose(**options))

    def _stream(
        self, items: Iterable[Any], prepared: Prepared, batch_size: int | None, *, numbered: bool = True
    ) -> Iterator[Answered]:
        return stream(items, prepared, self.engine, most_tokens=self._most_tokens(batch_size), numbered=numbered)

    def _most_tokens(self, batch_size: int | None) -> int | None:
        texts = self._batch_size if batch_size is None else checked_batch_size(batch_size)
        return None if texts is None else texts * token_limit(self.tokenizer, self.config)


def pipeline(
    task: str | None = None,
    model: Any = None,
    *,
    tokenizer: "Tokenizer | str | Path | None" = None,
    device: Any = None,
    engine: str = "auto",
    precision: str = "auto",
    batch_size: int | None = None,
    threads: int | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    cache_dir: str | Path | None = None,
    **options: Any,
) -> Pipeline:
    """A pipeline for a task with a model: a folder, a shipped model's name, a Hub repository, or a Headway model in memory.

    Without a task it is the one that the model was saved for; without a model the task's usual one, which is named once.
    ``engine`` is ONNX Runtime on the CPU unless bf16, a GPU or torch is asked for; ``precision`` is INT8 where the folder holds
    an INT8 model, else fp32. ``options`` are the task's, for every call. Arguments of transformers' pipeline are understood or
    refused with the reason; docs/pipelines.md lists them.
    """
    place = {"revision": revision, "token": token, "local_files_only": local_files_only, "cache_dir": cache_dir}
    checked_batch_size(batch_size)
    asked = understood(options, precision=precision, device=device, place=place, model=model)
    if model is not None and not isinstance(model, str | Path):
        return _in_memory(task, model, tokenizer, asked, engine=engine, batch_size=batch_size)
    found = None if task is None else find_task(task)
    if found is not None:
        _check_options(found, asked.options)  # a misspelt option is said before anything is loaded
    folder = _usual_folder(task, asked.place) if model is None else locate(model, **asked.place)
    if found is None:
        found = find_task(inferred_task(folder))
        _check_options(found, asked.options)
    load_config(folder)  # what is no model at all is said first
    words = _tokenizer(tokenizer, folder, asked.place)
    runner, folder = load_engine(
        folder,
        head=found.head,
        engine=engine,
        precision=asked.precision,
        device=asked.device,
        threads=threads,
        only_token=_only_token(found, words),
    )
    options = {**noted_options(runner.config, found.name), **asked.options}  # as it was trained, so it is used
    return Pipeline(found, runner, words, folder=folder, batch_size=batch_size, **options)


def inferred_task(folder: Path) -> str:
    """The task that a model was trained or saved for; one of sentence-transformers without a head makes vectors of sentences."""
    config = load_config(folder)
    name = task_of(config)
    noted = noted_task(config)
    if noted in task_names() and find_task(noted).head == find_task(name).head:
        return noted
    is_sentence_model = name == "feature-extraction" and (folder / "modules.json").is_file()
    return "sentence-embeddings" if is_sentence_model else name


def _in_memory(
    task: str | None, model: Any, tokenizer: Any, asked: Arguments, *, engine: str, batch_size: int | None
) -> Pipeline:
    found, runner = engine_in_memory(
        task,
        model,
        engine=engine,
        precision=asked.precision,
        device=asked.device,
        only_token=lambda found: None if tokenizer is None else _only_token(found, _tokenizer(tokenizer, None, asked.place)),
    )
    _check_options(found, asked.options)
    options = {**noted_options(runner.config, found.name), **asked.options}
    return Pipeline(found, runner, _tokenizer(tokenizer, None, asked.place), batch_size=batch_size, **options)


def checked_batch_size(batch_size: int | None) -> int | None:
    """The most texts of a batch, if it is a number of texts; None for as many as the engine likes."""
    batch_size = plain(batch_size)
    if batch_size is not None and (not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1):
        raise ConfigError(f"batch_size is {batch_size!r}, but it counts texts. Use a whole number from 1 on, or None.")
    return batch_size


def _check_options(task: Task, options: Mapping[str, Any]) -> None:
    """Refuse an option that the task does not have, and say what pipeline() itself takes."""
    try:
        task.choose(options)
    except TaskError as error:
        if "has no option" not in str(error):
            raise
        own = [name for name in inspect.signature(pipeline).parameters if name != "options"]
        meant = "" if "Did you mean" in str(error) else "".join(dict.fromkeys(closest(name, own) for name in options))
        raise TaskError(f"{error} pipeline() itself takes {', '.join(own)}.{meant}") from error


def _usual_folder(task: str | None, place: Mapping[str, Any]) -> Path:
    """The folder of the task's usual model."""
    if task is None:
        raise TaskError(
            f"Neither a task nor a model is named. Name a task ({', '.join(task_names(aliases=True))}), a model, or both."
        )
    name = find_task(task).name
    model = default_model(name)
    announce(name, model)
    if isinstance(model, str):
        return locate(model)
    revision = place["revision"] or model.revision
    try:
        return locate(model.name, **{**place, "revision": revision})
    except CheckpointError as error:
        raise CheckpointError(
            f"Without a model {task} means {model.name} at revision {revision}. {error} To get it where there is a network: "
            f"hf download {model.name} --revision {revision}. Or name a model of your own: pipeline({task!r}, model='folder')."
        ) from error


def _only_token(task: Task, tokenizer: "Tokenizer") -> int | None:
    return None if task.only_token is None else task.only_token(tokenizer)


def _check(tokenizer: "Tokenizer", engine: Engine, folder: Path | None) -> None:
    from headway.text import check_tokenizer

    check_tokenizer(tokenizer, engine.config, model=folder)


def _tokenizer(tokenizer: Any, folder: Path | None, place: Mapping[str, Any]) -> "Tokenizer":
    """The tokenizer given, or loaded by its name; else the model's. A revision is the model's, not that of another name."""
    from headway.text import Tokenizer

    if isinstance(tokenizer, Tokenizer):
        return tokenizer
    name, settings = tokenizer if isinstance(tokenizer, tuple) and len(tokenizer) == 2 else (tokenizer, {})
    if isinstance(name, str | Path):
        return Tokenizer.from_pretrained(name, **{**place, "revision": None, **settings})
    if tokenizer is not None:
        raise TaskError(
            f"tokenizer is of the type {type(tokenizer).__name__}. Give a folder, a Hub repository, or a tokenizer that Headway "
            "loaded: headway.AutoTokenizer.from_pretrained(…)."
        )
    if folder is None:
        raise TaskError("A model in memory has no tokenizer with it. Pass tokenizer=…, the one that the model was trained with.")
    return Tokenizer.from_pretrained(folder)
