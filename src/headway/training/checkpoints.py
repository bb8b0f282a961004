"""Training states on disk: everything the next step depends on. A folder is whole under its final name, or it is not there.

``checkpoint-N/`` is a model folder like any other, with ``optimizer.safetensors`` (the optimiser's tensors by their name and the
weight's, and the random state; of weights in shards a folder ``optimizer`` with a file of each process) and
``trainer_state.json`` beside the weights.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from headway.core.files import atomic_folder, remove_drafts
from headway.errors import CheckpointError, ConfigError
from headway.neural.model import EncoderModel
from headway.training.adapters import is_adapted, load_adapter
from headway.training.optimiser_state import optimizer_state, restore_optimizer
from headway.training.processes import current
from headway.training.sharding import read_optimizer
from headway.training.soundness import newest_sound, write_hashes

STATE, OPTIMIZER, SHARDS = "trainer_state.json", "optimizer.safetensors", "optimizer"

ONLY_MODEL = (
    "{folder} holds the model alone, because save_only_model was on, and without the optimiser's state training cannot go on "
    "from it. Use it as the model of a new run in another output folder; or, to begin anew, give resume_from_checkpoint=False."
)


@dataclass
class TrainerState:
    """Where training stands.

    Steps done, epochs that are done, batches of the next that are done, the log so far, and loss and gradient norm of the steps
    that are not in the log yet; the best value of the metric, and where the weights are that it was measured on;
    whether a callback ended the training; how many batches a step has over all
    processes, which stays as it began; how many tokens at once memory was found to hold, None where it held all batches; what
    decides about the learning rate and, in float16, about the size of the loss; and the steps between lines of the log,
    evaluations and checkpoints.
    """

    global_step: int = 0
    epochs_done: int = 0
    batch: int = 0
    log_history: list[dict[str, Any]] = field(default_factory=list)
    unlogged: list[list[float]] = field(default_factory=list)
    best_metric: float | None = None
    best_global_step: int | None = None
    best_model_checkpoint: str | None = None
    callbacks: list[dict[str, Any]] = field(default_factory=list)
    stopped: bool = False
    max_steps: int = 0
    batches_of_epoch: int = 1
    batches_of_step: int = 0
    max_tokens: int | None = None
    plateau: dict[str, Any] = field(default_factory=dict)
    loss_scale: dict[str, Any] = field(default_factory=dict)
    logging_steps: int = 500
    eval_steps: int = 500
    save_steps: int = 500

    @property
    def is_world_process_zero(self) -> bool:
        """Whether this process is the one that writes and reports."""
        return current().is_first

    @property
    def is_local_process_zero(self) -> bool:
        """Whether it is the first of its machine."""
        return current().is_first_of_machine

    @property
    def epoch(self) -> float:
        """Epochs that are done, with the part of the one under way."""
        return self.epochs_done + self.batch / self.batches_of_epoch


def checkpoint_folder(output: str | Path, step: int) -> Path:
    """Where the state after a step is kept."""
    return Path(output) / f"checkpoint-{step}"


def save_state(
    folder: Path,
    model: EncoderModel,
    optimizer: torch.optim.Optimizer | None,
    state: TrainerState,
    *,
    identity: Mapping[str, Any],
    limit: int | None,
    shards: Path | None = None,
) -> None:
    """Write the checkpoint of the step that is done; then remove the oldest beyond ``limit``, but never the best.

    ``shards`` is a folder with what the optimiser keeps, where several processes wrote it. Without an optimiser training cannot
    go on from it.
    """
    from safetensors.torch import save_file

    with atomic_folder(folder) as draft:
        model.save_pretrained(draft)
        if shards is None and optimizer is not None:
            save_file(optimizer_state(model, optimizer) | _random_state(model), draft / OPTIMIZER)
        elif shards is not None:
            os.replace(shards, draft / SHARDS)
        values = asdict(state) | {"identity": dict(identity)}
        (draft / STATE).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        write_hashes(draft)
    best = state.best_model_checkpoint
    older = [one for one in states_in(folder.parent) if _step(one) < state.global_step]
    for old in older[: max(0, len(older) - limit + 1)] if limit else []:
        if best is None or old.name != Path(best).name:
            shutil.rmtree(old, ignore_errors=True)


def load_state(
    folder: Path,
    model: EncoderModel,
    optimizer: torch.optim.Optimizer,
    *,
    identity: Mapping[str, Any],
    trained: torch.nn.Module | None = None,
) -> TrainerState:
    """Put a saved state back into the model, the optimiser and torch's random generator.

    ``trained`` is what the optimiser trains in the model's place: the model in shards.
    Other data or other settings that decide the weights are refused, for then the run would be neither the old one nor a new one.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not any((folder / name).exists() for name in (SHARDS, OPTIMIZER)):
        raise CheckpointError(ONLY_MODEL.format(folder=folder))
    try:
        values = json.loads((folder / STATE).read_text(encoding="utf-8"))
        is_sharded = (folder / SHARDS).is_dir()
        tensors = read_optimizer(folder / SHARDS, trained or model) if is_sharded else load_file(folder / OPTIMIZER)
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder} cannot be resumed from: {error}. Remove the folder to go on from an older one."
        ) from error
    _check_identity(folder, values.pop("identity"), identity)
    load_weights(folder, model)
    restore_optimizer(trained or model, optimizer, tensors)
    if "random.cpu" in tensors:
        torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"])
    return TrainerState(**values)


def load_weights(folder: Path, model: EncoderModel) -> None:
    """Put the weights of a checkpoint into the model, which may know itself how (several models that are trained together do)."""
    from headway.checkpoints import load_checkpoint

    if is_adapted(model):
        load_adapter(folder, model)
        return
    if (read := getattr(model, "read_weights", None)) is not None:
        read(folder)
        return
    weights = load_checkpoint(folder, head=model.head_name).weights
    model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})


def newest_state(output: str | Path) -> Path | None:
    """The whole checkpoint with the most steps, or None where there is none; drafts of killed writers are removed.

    Damaged ones are passed over with a warning, and stay until training writes the same step again; where only damaged ones are
    left it is a ``CheckpointError``.
    """
    remove_drafts(output)
    return newest_sound(states_in(Path(output)))


def states_in(output: Path) -> list[Path]:
    """All checkpoints in a folder, by rising step."""
    named = (folder for folder in output.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", folder.name))
    return sorted((folder for folder in named if (folder / STATE).exists()), key=_step)


def _step(folder: Path) -> int:
    return int(folder.name.removeprefix("checkpoint-"))


def _random_state(model: EncoderModel) -> dict[str, torch.Tensor]:
    tensors = {"random.cpu": torch.get_rng_state()}
    if model.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    return tensors


def _check_identity(folder: Path, saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    changed = [
        f"{name} was {saved.get(name)!r} and is {now.get(name)!r}"
        for name in {**saved, **now}
        if saved.get(name) != now.get(name)
    ]
    if changed:
        raise ConfigError(
            f"{folder} was saved by a run with other settings ({'; '.join(changed)}), so going on would give neither "
            "that run's result nor a "
            "new one's. Restore the settings, choose another output folder, or start anew with resume_from_checkpoint=False."
        )
