"""``pipeline()``: a task and a model, ready to be called with texts. The names and answers are those of transformers."""

from collections.abc import Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.checkpoints import load_config
from headway.errors import ConfigError, TaskError
from headway.inference.engine import Engine
from headway.inference.loading import load_engine
from headway.inference.memory import engine_in_memory
from headway.inference.schedule import Answered, stream
from headway.tasks import Call, ModelFacts, Prepared, Task, TaskOptions, task_names, task_of
from headway.tasks import task as find_task

if TYPE_CHECKING:
    from headway.text import Tokenizer

DEFAULT_MODELS = {"sentiment-analysis": "sentiment"}
"""The model that a task's name stands for where none is named."""


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
        self._prepared = self._prepare({})

    def __call__(self, *arguments: Any, batch_size: int | None = None, **named: Any) -> Any:
        """The answer to one input, a list of answers to many, or a generator of answers to a generator.

        What an input is depends on the task, as in transformers: a text, a pair ``{"text": …, "text_pair": …}``, ``question=``
        and ``context=`` … Options win over those given to the pipeline.
        """
        inputs, options = self._task.read_call(arguments, named)
        prepared = self._prepare(options) if options else self._prepared
        at_call = frozenset(options)
        given = at_call | frozenset(self._options)
        kind = kind_of(inputs)
        if kind == "stream":
            answers = self._stream(inputs, prepared, batch_size)
            return (prepared.present([found.answer], Call("item", at_call, given)) for found in answers)
        items = list(inputs) if kind == "list" else [inputs]
        found = [answered.answer for answered in self._stream(items, prepared, batch_size, numbered=kind == "list")]
        return prepared.present(found, Call(kind, at_call, given)) if found else []

    def stream(self, items: Iterable[Any], *, batch_size: int | None = None, **options: Any) -> Iterator[Answered]:
        """Each item's answer in its plain form, with the number of tokens read for it."""
        return self._stream(items, self._prepare(options) if options else self._prepared, batch_size)

    def choose(self, **options: Any) -> TaskOptions:
        """The task's options of a call that gives these."""
        return self._task.choose({**self._options, **options})

    def __repr__(self) -> str:
        return f"Pipeline(task={self.task!r}, model_type={self.config.model_type!r}, precision={self.engine.precision!r})"

    def _prepare(self, options: Mapping[str, Any]) -> Prepared:
        return self._task.prepare(self.facts, self.choose(**options))

    def _stream(
        self, items: Iterable[Any], prepared: Prepared, batch_size: int | None, *, numbered: bool = True
    ) -> Iterator[Answered]:
        max_texts = self._batch_size if batch_size is None else checked_batch_size(batch_size)
        return stream(items, prepared, self.engine, max_texts=max_texts, numbered=numbered)


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

    Without a task it is the one that the model was saved for. ``engine`` is ONNX Runtime on the CPU unless bf16, a GPU or torch
    is asked for; ``precision`` is INT8 where the folder holds an INT8 model, else fp32. ``options`` are the task's, for every
    call.
    """
    place: dict[str, Any] = {
        "revision": revision,
        "token": token,
        "local_files_only": local_files_only,
        "cache_dir": cache_dir,
    }
    checked_batch_size(batch_size)
    if model is not None and not isinstance(model, str | Path):
        found, runner = engine_in_memory(task, model, engine=engine, precision=precision)
        return Pipeline(found, runner, _tokenizer(tokenizer, None, place), batch_size=batch_size, **options)
    named = find_task(task) if task is not None else None
    name = model or _default_model(task)
    found = named or find_task(task_of(load_config(name, **place)))
    found.choose(options)  # a misspelt option is said before anything is loaded
    runner, folder = load_engine(
        name, head=found.head, engine=engine, precision=precision, device=device, threads=threads, **place
    )
    return Pipeline(found, runner, _tokenizer(tokenizer, folder, place), folder=folder, batch_size=batch_size, **options)


def kind_of(inputs: Any) -> Any:
    """How the inputs are answered: ``text``, ``item`` (a pair, or something that will be refused), ``list`` or ``stream``."""
    if isinstance(inputs, str):
        return "text"
    if isinstance(inputs, bytes | bytearray | Mapping) or not isinstance(inputs, Iterable):
        return "item"
    return "list" if isinstance(inputs, Sized) else "stream"


def checked_batch_size(batch_size: int | None) -> int | None:
    """The most texts of a batch, if it is a number of texts; None for as many as the engine likes."""
    if batch_size is not None and (not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1):
        raise ConfigError(f"batch_size is {batch_size!r}, but it counts texts. Use a whole number from 1 on, or None.")
    return batch_size


def _default_model(task: str | None) -> str:
    if task in DEFAULT_MODELS:
        return DEFAULT_MODELS[task]
    if task is None:
        raise TaskError(
            f"Neither a task nor a model is named. Name a task ({', '.join(task_names(aliases=True))}), a model, or both."
        )
    raise TaskError(
        f"No model ships with Headway for {task}, so one has to be named: pipeline({task!r}, model='folder or Hub repository'). "
        f"Only {', '.join(DEFAULT_MODELS)} needs none."
    )


def _check(tokenizer: "Tokenizer", engine: Engine, folder: Path | None) -> None:
    from headway.text import check_tokenizer

    check_tokenizer(tokenizer, engine.config, model=folder)


def _tokenizer(tokenizer: "Tokenizer | str | Path | None", folder: Path | None, place: Mapping[str, Any]) -> "Tokenizer":
    from headway.text import Tokenizer

    if isinstance(tokenizer, Tokenizer):
        return tokenizer
    if tokenizer is not None:
        return Tokenizer.from_pretrained(tokenizer, **place)
    if folder is None:
        raise TaskError("A model in memory has no tokenizer with it. Pass tokenizer=…, the one that the model was trained with.")
    return Tokenizer.from_pretrained(folder)
