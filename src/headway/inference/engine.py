"""What runs batches: the seam between texts and models. Padding exists only inside an engine."""

import os
import threading
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from headway.architecture import ModelConfig
from headway.architecture.cost import forward_operations
from headway.core.batching import TokenSequence
from headway.core.hashes import cache_folder
from headway.core.padding import padded
from headway.errors import CheckpointError, ConfigError
from headway.families import family
from headway.inference.cache import cached, fingerprint

if TYPE_CHECKING:
    from headway.graph import Session

MASKED_LOGITS = "masked_logits"
"""The output that has a row for each mask of a text and none for other tokens."""

TOKEN_BUDGETS = {"fp32": 256, "int8": 512}
"""Tokens of a batch, padding included: large enough to fill the matrix units, small enough to stay in the cache.

A number of fp32 takes four times the room of one of INT8.
"""

LEAST_SHARED = {"fp32": 200_000_000, "int8": 800_000_000}
"""Operations of a lone batch from which several threads are done sooner than one: they wait for each other at every product."""


class Engine(Protocol):
    """A model that can be run. Safe to use from several threads."""

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        ...

    @property
    def precision(self) -> str:
        """What the weights are held in: fp32, bf16 or int8."""
        ...

    @property
    def token_budget(self) -> int:
        """The batch size in tokens, padding included, at which this engine works best."""
        ...

    @property
    def workers(self) -> int:
        """How many batches to run at once for most throughput."""
        ...

    def run(self, sequences: Sequence[TokenSequence], *, alone: bool = False) -> list[dict[str, np.ndarray]]:
        """Each text's outputs by name without padding, in the order given.

        An engine made for masks alone gives ``masked_logits``, (masks, vocabulary), in the place of ``logits``. ``alone`` says
        that no other batch runs beside this one, so that all cores may work on it.
        """
        ...


class OnnxEngine:
    """ONNX Runtime on the CPU.

    Many batches go fastest as one thread for each, a lone one with all threads on it unless it is small. The two ways need two
    sessions, each made when it is first used. If the file was replaced meanwhile it may hold another model: what was made before
    does both, and where nothing was that is a ``CheckpointError``. ``shared`` are the constants that the model has in common with
    others, and not in its file.
    """

    def __init__(
        self,
        model: Path | bytes,
        config: ModelConfig,
        *,
        precision: str,
        threads: int | None = None,
        token_budget: int | None = None,
        only_token: int | None = None,
        shared: Mapping[str, np.ndarray] = MappingProxyType({}),
    ) -> None:
        self.model = model
        self.shared = shared
        self.only_token = only_token
        self._version = None if isinstance(model, bytes) else _version(model)
        self.config = config
        self.precision = precision
        self.token_budget = token_budget or TOKEN_BUDGETS[precision]
        self.workers = usable_cores() if threads is None else checked_threads(threads)
        self._sessions: dict[int, Session] = {}
        self._lock = threading.Lock()

    def run(self, sequences: Sequence[TokenSequence], *, alone: bool = False) -> list[dict[str, np.ndarray]]:
        """Each text's outputs by name without padding, in the order given."""
        if not sequences:
            return []
        session = self._session(self.workers if alone and self._is_worth_sharing(sequences) else 1)
        outputs = session.run(**padded(sequences))
        masked = outputs.pop(MASKED_LOGITS, None)
        found = unpadded(outputs, [len(sequence) for sequence in sequences], by_token=session.token_outputs)
        return found if masked is None else self._with_masks(found, masked, sequences)

    def _is_worth_sharing(self, sequences: Sequence[TokenSequence]) -> bool:
        return sum(map(len, sequences)) * self._operations >= LEAST_SHARED[self.precision]

    @cached_property
    def _operations(self) -> int:
        """Multiplications and additions that a token costs in the encoder."""
        return forward_operations(family(self.config.model_type).architecture(self.config, "base"), [1], targets=0)

    def _with_masks(
        self, found: list[dict[str, np.ndarray]], masked: np.ndarray, sequences: Sequence[TokenSequence]
    ) -> list[dict[str, np.ndarray]]:
        counts = [sum(token == self.only_token for token in sequence.ids) for sequence in sequences]
        by_text = np.split(masked, np.cumsum(counts)[:-1])
        return [{**outputs, MASKED_LOGITS: rows} for outputs, rows in zip(found, by_text, strict=True)]

    def _session(self, threads: int) -> "Session":
        from headway.graph import Session

        with self._lock:
            if threads not in self._sessions:
                made = None if self.is_replaced() else Session(self._exact(), threads=threads, shared=self.shared)
                if made is not None and not self.is_replaced():  # while it was read
                    self._sessions[threads] = made
            if not self._sessions:
                assert not isinstance(self.model, bytes)  # which nobody replaces
                raise CheckpointError(
                    f"{self.model} was replaced since the model was loaded, so answers would be another model's. Load it again."
                )
            return self._sessions.get(threads) or next(iter(self._sessions.values()))

    def _exact(self) -> Path | bytes:
        """The graph in the form that this processor adds up without loss, from the cache where it was rewritten before."""
        from headway.graph import GRAPH_VERSION
        from headway.graph.clipping import is_clipped

        def rewrite() -> bytes:
            from headway.graph.unsigned import unsigned_graph

            return unsigned_graph(self.model, shared=self.shared)

        if isinstance(self.model, bytes) or not is_clipped(self.model):
            return self.model
        return cached(fingerprint([self.model], "unsigned", f"graph {GRAPH_VERSION}"), rewrite)

    def is_replaced(self) -> bool:
        """Whether the file is another one than when the engine was made."""
        return not isinstance(self.model, bytes) and self._version is not None and _version(self.model) != self._version


def _version(path: Path) -> tuple[int, ...] | None:
    """What tells a file from the next one of its name; None for one that is not there, or that is named by its content."""
    if cache_folder() in path.parents:
        return None
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns)


def unpadded(
    outputs: Mapping[str, np.ndarray], lengths: Sequence[int], *, by_token: Collection[str]
) -> list[dict[str, np.ndarray]]:
    """One mapping a text: outputs ``by_token``, (texts, tokens, …), are cut to its length; of the others it has a row."""
    return [
        {name: values[row, :length] if name in by_token else values[row] for name, values in outputs.items()}
        for row, length in enumerate(lengths)
    ]


def usable_cores() -> int:
    """The cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def checked_threads(threads: int) -> int:
    """A number of threads, if it is one."""
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise ConfigError(f"threads is {threads!r}, but it counts threads. Use a whole number from 1 on, or None for all cores.")
    return threads
