"""A graph that runs: the only place that calls ONNX Runtime, but for the question in ``clipping``.

``Session.run`` may be called from several Python threads at once; they share the weights. For many batches this, with one
thread for each call, is the fastest way; for a lone batch a session with several threads is.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from headway.errors import EngineError
from headway.graph.clipping import exact
from headway.graph.damage import first_line, unreadable
from headway.graph.names import SEQUENCE, START, UNFUSED

UNRUNNABLE = (errors.Fail, errors.InvalidArgument, errors.RuntimeException)
UNREADABLE = (*UNRUNNABLE, errors.InvalidGraph, errors.InvalidProtobuf, errors.NoSuchFile, errors.NotImplemented)
FATAL = 4
"""ONNX Runtime's log level at which it is silent: whatever it could say comes as an exception as well."""


class Session:
    """One model, loaded. ``model`` is an ONNX file or its bytes; ``threads`` work together on each call.

    ``shared`` are the constants that the file leaves to others (``shared_tensors``); the session reads them where they are. Sums
    of 8-bit products are exact on every processor (``exact``).
    """

    def __init__(
        self, model: str | Path | bytes, *, threads: int, shared: Mapping[str, np.ndarray] = MappingProxyType({})
    ) -> None:
        model = exact(model if isinstance(model, bytes) else Path(model), shared=shared)
        source = model if isinstance(model, bytes) else str(model)
        options = _options(threads, fuse=UNFUSED.encode() in _start(model))
        self._shared = _share(options, shared)
        try:
            self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except UNREADABLE as error:
            raise unreadable(model, error) from error
        inputs = self._session.get_inputs()
        self.input_names = tuple(entry.name for entry in inputs)
        self._asks_for_choices = len(inputs[0].shape) == 3
        outputs = self._session.get_outputs()
        self.output_names = tuple(output.name for output in outputs)
        self.token_outputs = frozenset(output.name for output in outputs if output.shape[1:2] == [SEQUENCE])
        """Those that have a row for each token, (batch, sequence, …); the others have one for each text."""
        self.threads = threads

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says about itself: ``headway.version``, ``headway.precision`` and what its writer added."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs by name, for int64 inputs by name, (batch, sequence); those that the graph has no use for are left out.

        Inputs that are missing, or that the model cannot read, are an ``EngineError``.
        """
        return dict(zip(self.output_names, self._run(None, inputs), strict=True))

    def run_for(self, output: str, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """One of the outputs alone."""
        (found,) = self._run([output], inputs)
        return found

    def _run(self, outputs: Sequence[str] | None, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        if missing := [name for name in self.input_names if name not in inputs]:
            raise EngineError(
                f"The model also reads {', '.join(missing)}; it was given {', '.join(inputs)}. Pass each by its name."
            )
        try:
            found: list[np.ndarray] = self._session.run(outputs, {name: self._as_read(inputs[name]) for name in self.input_names})
        except UNRUNNABLE as error:
            raise EngineError(
                f"The model could not run a batch of shape {inputs[self.input_names[0]].shape} ({first_line(error)}). "
                "Check that the tokenizer is the model's own, and that texts are cut to the length that it was built for."
            ) from error
        return found

    def _as_read(self, values: np.ndarray) -> np.ndarray:
        """Rows as a graph reads them that was written for others and asks for (batch, choices, sequence): one choice each."""
        return values[:, None] if self._asks_for_choices and values.ndim == 2 else values


def _start(model: Path | bytes) -> bytes:
    """The first bytes of a model, where its writer is named; nothing where there is no file."""
    if isinstance(model, bytes):
        return model[:START]
    if not model.is_file():
        return b""
    with model.open("rb") as file:
        return file.read(START)


def _options(threads: int, *, fuse: bool) -> Any:
    """Graphs come ready from ``build_graph``, so nothing is optimised at load, unless they were written to be fused.

    Without its arena ONNX Runtime gives memory back after each call, at no cost that we could measure. Threads that spin while
    they wait would take the cores from tokenizing and from other sessions.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_EXTENDED if fuse else levels.ORT_DISABLE_ALL
    options.enable_cpu_mem_arena = False
    options.log_severity_level = FATAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _share(options: Any, shared: Mapping[str, np.ndarray]) -> list[Any]:
    """Have a session read these constants in place; what is returned has to live as long as it does.

    ONNX Runtime makes a copy of what it is given as an external constant, and looks for the file of an external one that it is
    only given to share. Given both ways it does neither.
    """
    values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in shared.items()}
    if values:
        options.add_external_initializers(list(values), list(values.values()))
    for name, value in values.items():
        options.add_initializer(name, value)
    return list(values.values())
