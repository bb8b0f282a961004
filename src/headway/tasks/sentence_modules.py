"""The modules of sentence-transformers that may follow the pooling: each makes one vector of another.

Shapes: I values in, O values out.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from headway.errors import TaskError, WeightError
from headway.tasks.numbers import identity, sigmoid
from headway.tasks.pooling import to_unit_length

EPSILON = 1e-5  # torch's default, which the module has no setting for


@dataclass(frozen=True, eq=False)
class Dense:
    """A linear map, (out, in), and an activation."""

    weight: np.ndarray
    bias: np.ndarray | None
    activation: Callable[[np.ndarray], np.ndarray]

    def __call__(self, vector_I: np.ndarray) -> np.ndarray:
        """The vector, (out,)."""
        _check_size(vector_I, self.weight.shape[1], "dense layer")
        mapped_O = self.weight @ vector_I
        return self.activation(mapped_O if self.bias is None else mapped_O + self.bias)


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """Values around an average of 0 with a deviation of 1, scaled and shifted. Ba et al., 2016, arXiv:1607.06450."""

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, vector_I: np.ndarray) -> np.ndarray:
        """The vector, (in,)."""
        _check_size(vector_I, len(self.weight), "layer norm")
        centred_I = vector_I - vector_I.mean()
        return np.asarray(centred_I / np.sqrt((centred_I**2).mean() + EPSILON) * self.weight + self.bias)


@dataclass(frozen=True)
class UnitLength:
    """The vector scaled to length 1."""

    def __call__(self, vector_I: np.ndarray) -> np.ndarray:
        """The vector, (in,)."""
        return to_unit_length(vector_I)


Step: TypeAlias = Dense | LayerNorm | UnitLength


def relu(values: np.ndarray) -> np.ndarray:
    """The values above zero."""
    return np.asarray(np.maximum(values, 0))


def gelu(values: np.ndarray) -> np.ndarray:
    """Each value times the chance that a normal number is below it. Hendrycks and Gimpel, 2016, arXiv:1606.08415."""
    return np.asarray([value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in values.tolist()], dtype=values.dtype)


def silu(values: np.ndarray) -> np.ndarray:
    """Each value times its sigmoid."""
    return np.asarray(values * sigmoid(values))


ACTIVATIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "Tanh": np.tanh,
    "Identity": identity,
    "ReLU": relu,
    "GELU": gelu,
    "Sigmoid": sigmoid,
    "SiLU": silu,
}
"""What may follow a dense layer, by the name of torch's class."""


def read_dense(folder: Path, values: Mapping[str, Any]) -> Dense:
    """The dense layer in a module's folder, with the values of its ``config.json``."""
    name = str(values.get("activation_function") or "Tanh").rpartition(".")[2]
    if name not in ACTIVATIONS:
        raise TaskError(
            f"{folder} asks for the activation {values['activation_function']!r}, which is not computed here; known are "
            f"{', '.join(ACTIVATIONS)}. Use pooling='mean' or 'cls' if you want the vectors without this layer."
        )
    for key in ("module_input_name", "module_output_name"):
        if values.get(key) not in (None, "sentence_embedding"):
            raise TaskError(
                f"{folder} has a dense layer with {key} {values[key]!r}, but only one that makes a sentence's vector from a "
                "sentence's vector is computed here. Use pooling='mean' or 'cls' if you want the vectors without it."
            )
    size_out, size_in = int(values["out_features"]), int(values["in_features"])
    bias = _weight(folder, "linear.bias", (size_out,)) if values.get("bias", True) else None
    return Dense(_weight(folder, "linear.weight", (size_out, size_in)), bias, ACTIVATIONS[name])


def read_norm(folder: Path, values: Mapping[str, Any]) -> LayerNorm:
    """The layer norm in a module's folder."""
    size = (int(values["dimension"]),)
    return LayerNorm(_weight(folder, "norm.weight", size), _weight(folder, "norm.bias", size))


def _weight(folder: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A weight of a module, in memory: the file may be gone by the time that it is used."""
    from headway.checkpoints.files import stored_tensors

    found = stored_tensors(folder).get(name)
    if found is None or found.shape != shape:
        said = (
            f"has no {name}" if found is None else f"has {name} with the shape {found.shape}, not {shape} as its config.json says"
        )
        raise WeightError(f"{folder} {said}, so sentence vectors cannot be computed. Download or save the model again.")
    return np.array(found())


def _check_size(vector_I: np.ndarray, size: int, what: str) -> None:
    if len(vector_I) != size:
        raise TaskError(
            f"The folder's {what} reads vectors of {size} values, but the pooling gives {len(vector_I)}: they belong to "
            "different models. Download or save the model again."
        )
