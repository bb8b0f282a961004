"""A job's answers from workers of Ray Data, on many cores or machines, in order.

One task reads, on the machine where the job was begun, and hands out blocks of rows; workers answer them; this process keeps what
comes back. The work of a process that is killed is done again by another.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.bulk.answering import pipeline_identity
from headway.bulk.cluster import Crew, connected, crew
from headway.bulk.finishing import Finished, Later
from headway.bulk.inputs import Place
from headway.bulk.job import Answers, Job
from headway.bulk.shipping import BLOCK_ROWS, unpacked
from headway.bulk.workers import Reader, Work, Worker
from headway.core.extras import require_ray
from headway.errors import ConfigError, EngineError, HeadwayError
from headway.inference import Pipeline, pipeline

if TYPE_CHECKING:
    import pyarrow as pa


def pipeline_and_answers(task: str | None, model: Any, **arguments: Any) -> "tuple[Pipeline, Answers | None]":
    """The pipeline of a job with these arguments of ``pipeline``, and what answers where ``engine`` is ray; else this process."""
    if arguments.get("engine") != "ray":
        return pipeline(task, model, **arguments), None
    arguments = {**arguments, "engine": "auto"}
    require_ray("--engine ray")
    _check(model, arguments)
    here = {"device": "cpu", "engine": "torch"} if on_gpu(arguments) else {}  # this process only has to know what it is
    made = pipeline(task, model, **{**arguments, **here})
    everywhere = {**arguments, "task": made.task, "model": _reachable(model, made), "precision": made.engine.precision}
    return made, partial(_answers, arguments=everywhere)


def on_gpu(arguments: Mapping[str, Any]) -> bool:
    """Whether workers need a GPU."""
    return arguments.get("device") == "cuda"


def _check(model: Any, arguments: Mapping[str, Any]) -> None:
    """Refuse what cannot be had on another machine."""
    for name, value in {"model": model, "tokenizer": arguments.get("tokenizer")}.items():
        if value is not None and not isinstance(value, str | Path):
            raise ConfigError(
                f"{name} is of the type {type(value).__name__}, but with engine='ray' other processes load it. Save it, and "
                "give its folder."
            )
    if arguments.get("device") not in (None, "cpu", "cuda"):
        raise ConfigError(
            f"device is {arguments['device']!r}, but with engine='ray' each worker has a GPU of its own, whichever it is. Use "
            "device='cuda', or 'cpu'."
        )


def _reachable(model: Any, made: Pipeline) -> Any:
    """The model by a name that means the same in another folder."""
    is_folder = model is not None and Path(model).is_dir() and made.facts.folder is not None
    return str(Path(model).resolve()) if is_folder and Path(model).samefile(str(made.facts.folder)) else model


def _answers(job: Job, start: Place, *, arguments: Mapping[str, Any]) -> Generator[Later, None, None]:
    """Answers to all rows from a place on."""
    if job.once:
        raise ConfigError("Standard input, or a pipe, is there for one process alone, so --engine ray cannot read it. Save it.")
    reader = Reader(
        inputs=tuple(job.inputs),
        task=job.pipeline.task,
        named=dict(job.named),
        start=start,
        folder=str(Path.cwd()),
        block_rows=BLOCK_ROWS,
    )
    with connected() as machines:
        hands = crew(machines, threads=arguments.get("threads"), gpus=int(on_gpu(arguments)))
        given = {**arguments, "threads": hands.cores}
        work = Work(arguments=given, identity=pipeline_identity(job.pipeline), keep=job.keep, strict=job.strict)
        with closing(_tables(reader, work, hands)) as tables:  # while there is a cluster
            for found in _found(tables):
                yield Later(found.fraction, partial(_itself, found))


def _itself(found: Finished) -> Finished:
    return found


def _found(tables: "Iterable[pa.Table]") -> Iterator[Finished]:
    """What the tables hold; an error among it is raised in its place."""
    for table in tables:
        for found in unpacked(table):
            if isinstance(found, HeadwayError):
                raise found
            yield found


@contextmanager
def _in_words() -> Iterator[None]:
    """What goes wrong with Ray as an error of ours."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        raise EngineError(
            f"Ray could not go on: {error} What was answered is kept: mend what it says, and run the same again to go on."
        ) from error


def _tables(reader: Reader, work: Work, hands: Crew) -> "Generator[pa.Table, None, None]":
    """The tables that the workers make, in the order of the rows."""
    import ray

    rows = ray.data.read_datasource(
        _source(reader), override_num_blocks=1, num_cpus=0, label_selector={"ray.io/node-id": _node()}
    )
    answered = rows.map_batches(
        Worker,
        fn_constructor_args=(work,),
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=hands.cores,
        num_gpus=hands.gpus,
        # No fewer than one: idle ones may leave their cores to one that has to start again, and Ray warns of small inputs else.
        compute=ray.data.ActorPoolStrategy(min_size=1, initial_size=hands.workers, max_size=hands.workers),
    )
    with _in_words():
        yield from answered.iter_batches(batch_size=None, batch_format="pyarrow")


def _node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _source(read: Callable[[], Iterable[Any]]) -> Any:
    """A source of Ray Data with a single stream of tables."""
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    known = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
    methods = {
        "estimate_inmemory_data_size": lambda self: None,
        "get_read_tasks": lambda self, parallelism, **_: [ReadTask(read, known)],
    }
    return type("Rows", (Datasource,), methods)()
