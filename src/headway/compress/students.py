"""Students: the teacher with some of its layers, a new model of another size, or one that was saved before."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headway.architecture import ModelConfig, weight_shapes
from headway.architecture.family import HeadName
from headway.checkpoints import Checkpoint, load_checkpoint
from headway.compress.depth import chosen
from headway.compress.taps import no_gradients
from headway.core.config import read_object
from headway.errors import ConfigError
from headway.families import family as find_family
from headway.families import recognised
from headway.neural.auto import build_model
from headway.neural.loading import load_model
from headway.neural.model import EncoderModel
from headway.settings.distillation import DistillSettings
from headway.training.machine import device_for


@dataclass(frozen=True)
class Pair:
    """A teacher, and the student that learns from it."""

    teacher: EncoderModel
    student: EncoderModel
    folder: Path
    """The teacher's."""
    kept: tuple[int, ...]
    """The teacher's layers that the student begins with; none where it begins with weights of its own."""


def make_pair(settings: DistillSettings, head: HeadName) -> Pair:
    """Both models with this head, on the same device. A teacher without it is a ``WeightError``: it has nothing to teach."""
    found = load_checkpoint(settings.teacher, head=head)
    found.require_complete()
    student, kept = make_student(settings, found, head)
    device = device_for(use_cpu=settings.use_cpu)
    teacher = no_gradients(build_model(found.config, found.architecture, head, found.weights)).to(device)
    return Pair(teacher, student.to(device), found.folder, kept)


def make_student(settings: DistillSettings, teacher: Checkpoint, head: HeadName) -> tuple[EncoderModel, tuple[int, ...]]:
    """The student, and which of the teacher's layers it was begun with."""
    path = None if settings.student is None else Path(settings.student)
    if path is not None and path.suffix != ".json":
        _check_alone(settings)
        labels = {"id2label": teacher.config.id2label, "problem_type": teacher.config.problem_type}
        changes: dict[str, Any] = labels if head in ("sequence-classification", "token-classification") else {}
        return load_model(path, head=head, config=None, keywords=changes), ()
    layers = len(teacher.architecture.encoder.steps)
    if path is not None:
        _check_alone(settings)
        config = _with_labels(recognised(ModelConfig(read_object(path))), teacher.config)
        depth = len(find_family(config.model_type).architecture(config, head).encoder.steps)
        kept = chosen(layers, count=min(depth, layers), keep=())
    else:
        kept = chosen(layers, count=settings.num_layers, keep=settings.keep_layers)
        config = with_layers(teacher.config, kept)
    weights = {} if settings.initialise == "random" else begun_with(teacher, config, head, kept)
    return build_model(config, find_family(config.model_type).architecture(config, head), head, weights), kept if weights else ()


def with_layers(config: ModelConfig, kept: tuple[int, ...]) -> ModelConfig:
    """The configuration of a model with these layers of another; where kinds of layers are listed, with theirs."""
    changes: dict[str, Any] = {"num_hidden_layers": len(kept)}
    if isinstance(kinds := config.get("layer_types"), list):
        changes["layer_types"] = [kinds[index] for index in kept]
    return config.replace(**changes)


def begun_with(teacher: Checkpoint, config: ModelConfig, head: HeadName, kept: tuple[int, ...]) -> dict[str, np.ndarray]:
    """The weights of the teacher that have a place in the student: its layers ``kept``, and all else that has the same size."""
    shapes = weight_shapes(find_family(config.model_type).architecture(config, head))
    shares = teacher.architecture.encoder.order is not None
    found = {}
    for name, shape in shapes.items():
        array = teacher.weights.get(name if shares else _of_teacher(name, kept))
        if array is not None and array.shape == shape:
            found[name] = np.array(array)
    return found


def parameters(model: EncoderModel) -> int:
    """How many numbers the weights are."""
    return sum(math.prod(weight.shape) for weight in model.parameters())


def _of_teacher(name: str, kept: tuple[int, ...]) -> str:
    layer, number, rest = (*name.split(".", 2), "", "")[:3]
    return f"layers.{kept[int(number)]}.{rest}" if layer == "layers" and int(number) < len(kept) else name


def _with_labels(config: ModelConfig, teacher: ModelConfig) -> ModelConfig:
    """A new student's configuration with the teacher's labels and note of its tokenizer."""
    named = {name: teacher[name] for name in ("id2label", "problem_type", "headway_tokenizer") if teacher.get(name) is not None}
    return config.replace(**named)


def _check_alone(settings: DistillSettings) -> None:
    if settings.keep_layers or settings.num_layers is not None:
        raise ConfigError(
            f"The student is {settings.student}, which has as many layers as it has. Leave num_layers and keep_layers out, or "
            "leave the student out to have it made of the teacher's layers."
        )
