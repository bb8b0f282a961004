"""Maps from a student's width to its teacher's, which are learnt with the student and are no part of it.

They stand in the model while it is trained, so that optimiser, clipping and checkpoints of the optimiser's state know them, but
not in its weights: what is saved is the student alone. Checkpoints keep them as the state of a callback.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headway.neural.model import EncoderModel
from headway.settings.training import TrainingArguments
from headway.training.callbacks import TrainerCallback, TrainerControl
from headway.training.checkpoints import STATE, TrainerState, checkpoint_folder

NAME = "width_maps"


class WidthMap(nn.Module):
    """A linear map without bias that no state dict holds. Jiao et al., 2020, arXiv:1909.10351, section 3.1, formula 8."""

    def __init__(self, student: int, teacher: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(teacher, student).normal_(std=student**-0.5))

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors as wide as the teacher's."""
        return nn.functional.linear(vectors, self.weight)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Nothing: the map is no part of the model."""

    def _load_from_state_dict(self, *arguments: Any) -> None:
        """Nothing, for the same reason."""


def add_maps(student: EncoderModel, names: tuple[str, ...], *, width: int) -> list[TrainerCallback]:
    """Maps of these names to a teacher's width where the student's is another, and the callback that checkpoints need."""
    own = student.architecture.encoder.hidden_size
    if own == width:
        return []
    student.add_module(NAME, nn.ModuleDict({name: WidthMap(own, width) for name in names}).to(student.device))
    return [MapKeeper(student)]


def mapped(student: EncoderModel, name: str, vectors: Tensor) -> Tensor:
    """The student's vectors through the map of this name, where there is one."""
    return maps(student)[name](vectors) if has_maps(student) else vectors


def has_maps(student: EncoderModel) -> bool:
    """Whether the student has maps to its teacher's width now."""
    return NAME in dict(student.named_children())


def maps(student: EncoderModel) -> nn.ModuleDict:
    """The maps by name."""
    found = student.get_submodule(NAME)
    assert isinstance(found, nn.ModuleDict)
    return found


def arrays_of(student: EncoderModel) -> dict[str, np.ndarray]:
    """The maps as they are now, (teacher's width, student's width); none where the student has none."""
    found = maps(student).named_parameters() if has_maps(student) else ()
    return {name.removesuffix(".weight"): weight.detach().float().cpu().numpy().copy() for name, weight in found}


def take_maps(student: EncoderModel) -> None:
    """Take the maps out of the model."""
    if has_maps(student):
        delattr(student, NAME)


class MapKeeper(TrainerCallback):
    """Keeps the maps in checkpoints."""

    def __init__(self, student: EncoderModel) -> None:
        self.student = student

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Where the weights of the best evaluation are the result, the maps of that one too."""
        if args.load_best_model_at_end and state.best_global_step not in (None, state.global_step):
            folder = checkpoint_folder(args.output_dir, state.best_global_step or 0)
            kept = json.loads((folder / STATE).read_text(encoding="utf-8"))["callbacks"]
            own = next(one for one in kept if one["class"] == type(self).__name__)
            self.load_state({name: text for name, text in own.items() if name != "class"})

    def state(self) -> dict[str, Any]:
        """The maps' weights as text."""
        found = maps(self.student).named_parameters()
        return {name: base64.b64encode(weight.detach().float().cpu().numpy().tobytes()).decode() for name, weight in found}

    def load_state(self, state: Mapping[str, str]) -> None:
        """The weights that ``state`` returned."""
        with torch.no_grad():
            for name, weight in maps(self.student).named_parameters():
                values = np.frombuffer(base64.b64decode(state[name]), dtype=np.float32).reshape(tuple(weight.shape))
                weight.copy_(torch.from_numpy(values.copy()))
