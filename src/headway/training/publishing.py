"""``push_to_hub`` while and after training: the model as it stands, and checkpoints where they are wanted, in one repository."""

import shutil
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from headway.checkpoints import push_folder
from headway.errors import CheckpointError
from headway.settings.training import TrainingArguments
from headway.training.callbacks import TrainerCallback, TrainerControl
from headway.training.checkpoints import TrainerState, checkpoint_folder
from headway.training.processes import current

LAST = "last-checkpoint"
"""What the newest checkpoint is called in the repository, with the strategy ``checkpoint``."""


def repository(arguments: TrainingArguments) -> str:
    """Where to push: as named, or by the name of the output folder."""
    return arguments.hub_model_id or Path(arguments.output_dir).resolve().name


@dataclass
class Publisher(TrainerCallback):
    """Pushes in the background whenever a checkpoint was saved, and at the end of the training.

    A push that finds the one before still under way is left out. One that fails is said, and training goes on; the last one is
    an error.
    """

    save_model: Callable[[Path], None]
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="push"))
    under_way: Future[str] | None = None

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Push the model of this step, and the checkpoint where the strategy wants it."""
        if args.hub_strategy == "end" or (self.under_way is not None and not self.under_way.done()):
            return
        self._say_failure()
        folder = Path(mkdtemp(prefix="headway-push-"))
        self.save_model(folder)
        checkpoint = checkpoint_folder(args.output_dir, state.global_step)
        if args.hub_strategy in ("checkpoint", "all_checkpoints"):
            shutil.copytree(checkpoint, folder / (LAST if args.hub_strategy == "checkpoint" else checkpoint.name))
        when = f"epoch {int(state.epoch)}" if args.save_strategy == "epoch" else f"step {state.global_step}"
        self.under_way = self.pool.submit(_push_and_remove, folder, args, f"Training in progress, {when}")

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Wait for what is under way; then push the result."""
        self.wait()
        folder = Path(mkdtemp(prefix="headway-push-"))
        self.save_model(folder)
        _push_and_remove(folder, args, "End of training")

    def wait(self) -> None:
        """Until the push under way has ended."""
        if self.under_way is not None:
            self.under_way.exception()
            self._say_failure()

    def _say_failure(self) -> None:
        error = None if self.under_way is None else self.under_way.exception()
        self.under_way = None
        if isinstance(error, CheckpointError):
            warnings.warn(f"A push while training failed, and training goes on: {error}", stacklevel=2)
        elif error is not None:
            raise error


def finish(callbacks: Iterable[Any]) -> None:
    """Wait for what is pushed in the background."""
    for callback in callbacks:
        if isinstance(callback, Publisher):
            callback.wait()


def _push_and_remove(folder: Path, arguments: TrainingArguments, message: str) -> str:
    try:
        return push(folder, arguments, message=message)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def push_once(folder: Path, arguments: TrainingArguments, **how: Any) -> str:
    """The address of the commit with the folder's files, which of several processes the first pushes."""
    return current().from_first(lambda: push(folder, arguments, **how))


def push(
    folder: Path, arguments: TrainingArguments, *, message: str, token: str | bool | None = None, revision: str | None = None
) -> str:
    """The address of the commit with the folder's files."""
    return push_folder(
        folder,
        repository(arguments),
        commit_message=message,
        private=arguments.hub_private_repo,
        token=token if token is not None else arguments.hub_token,
        revision=revision or arguments.hub_revision,
        with_states=arguments.hub_strategy == "all_checkpoints",
    )
