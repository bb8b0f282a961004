"""Layers compiled by ``torch.compile``: once for all of them, and for batches of any size.

Attention stays as it is. It groups texts by their lengths, which are Python's numbers: each batch has others, and torch would
compile anew for every one.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from headway.errors import ConfigError
from headway.neural.layers import EncoderLayer
from headway.settings.training import TrainingArguments

INDUCTOR = "inductor"
LEAF = "The .grad attribute of a Tensor that is not a leaf"


@contextmanager
def compiled(model: nn.Module, arguments: TrainingArguments) -> Iterator[None]:
    """The model's layers are compiled while the block runs, where the arguments want it; afterwards they are as they were.

    Whatever keeps them from it, such as a compiler that is missing, is a ``ConfigError``.
    """
    if not arguments.torch_compile:
        yield
        return
    backend = _backend(arguments.torch_compile_backend or INDUCTOR)
    layers = [module for module in model.modules() if isinstance(module, EncoderLayer)]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", LEAF)  # torch itself looks at it while it compiles
            _compile(layers, backend, arguments.torch_compile_mode)
            yield
    except torch._dynamo.exc.BackendCompilerFailed as error:
        reason = str(error.inner_exception).strip().partition("\n")[0]
        raise ConfigError(
            f"The layers could not be compiled by {backend!r} ({type(error.inner_exception).__name__}: {reason}). "
            "inductor needs a C++ compiler such as g++ on a CPU, which CXX names, and Triton on a GPU. Install it, or leave "
            "torch_compile out."
        ) from error
    finally:
        for layer in layers:
            layer._compiled_call_impl = None
            vars(layer.attention).pop("forward", None)


def _compile(layers: list[EncoderLayer], backend: str, mode: str | None) -> None:
    for layer in layers:
        layer.attention.forward = torch.compiler.disable(layer.attention.forward)  # type: ignore[method-assign]
        layer.compile(backend=backend, mode=mode, dynamic=True)


def _backend(name: str) -> str:
    known = torch._dynamo.list_backends(exclude_tags=())
    if name not in known:
        raise ConfigError(f"torch_compile_backend is {name!r}, which torch does not have. Use one of {', '.join(known)}.")
    return name
