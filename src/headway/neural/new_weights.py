"""A model's parameters given their values: arrays of a checkpoint, and new ones where it has none."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from headway.architecture import NewWeights
from headway.checkpoints import taken_over


@contextmanager
def without_values() -> Iterator[None]:
    """Modules made in this block have parameters with sizes and nothing in them; ``fill`` comes afterwards."""
    with torch.device("meta"), _NoInitialisation():
        yield


class _NoInitialisation(TorchFunctionMode):
    """Leaves torch's own initialisation out: on the meta device, ``normal_`` alone would import all of torch's compiler."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def fill(
    model: nn.Module,
    given: Mapping[str, np.ndarray],
    *,
    new: NewWeights,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
) -> None:
    """Put a value in the place of each parameter of a model that was made ``without_values``.

    Arrays of a checkpoint are taken over, others copied. What is not given is drawn anew.
    """
    dtype, device = dtype or torch.get_default_dtype(), device or torch.get_default_device()
    names = dict(model.named_parameters())
    assert not given.keys() - names.keys(), given.keys() - names.keys()
    for name, empty in names.items():
        owner, _, leaf = name.rpartition(".")
        module = model.get_submodule(owner)
        if name in given:
            value = torch.from_numpy(taken_over(given[name])).to(dtype=dtype, device=device)
        else:
            value = torch.empty(empty.shape, dtype=dtype, device=device)
            new_value(module, leaf, value, std=new.std_of(name), cutoff=new.cutoff)
        setattr(module, leaf, nn.Parameter(value))


def new_value(module: nn.Module, leaf: str, empty: Tensor, *, std: float, cutoff: float | None) -> None:
    """Fill the tensor as a new parameter of the module; the only weights with one dimension are those of norms."""
    if leaf != "weight" or empty.dim() == 1:
        empty.fill_(leaf == "weight")
        return
    if cutoff is None:
        empty.normal_(std=std)
    else:
        nn.init.trunc_normal_(empty, std=std, a=-cutoff * std, b=cutoff * std)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        empty[module.padding_idx].zero_()
