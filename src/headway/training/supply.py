"""The batches of each step: which of them are this process's, and where their random numbers start."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from headway.training.batch import Batch
from headway.training.callbacks import Callbacks
from headway.training.checkpoints import TrainerState
from headway.training.job import Job
from headway.training.order import alike
from headway.training.processes import Processes, share


@dataclass(frozen=True, kw_only=True)
class Supply:
    """Gives a training its batches. The state says where to start, and is kept up to date."""

    job: Job
    state: TrainerState
    callbacks: Callbacks
    processes: Processes
    seed: int
    in_step: bool
    """Whether all processes run as many batches, some of them idle."""

    def steps(self) -> Iterator[tuple[list[Batch], bool, bool]]:
        """This process's batches of each step that is left, and whether the step begins and ends an epoch."""
        state, size = self.state, self.state.batches_of_step
        while state.global_step < state.max_steps and not state.stopped:
            order = self._order(state.epochs_done)
            state.batches_of_epoch = max(1, len(order))
            for start in range(state.batch, len(order), size):
                if state.global_step >= state.max_steps or state.stopped or self.callbacks.control.should_epoch_stop:
                    break
                stop = min(start + size, len(order))
                batches = self._batches(order, range(start, stop))
                state.batch = stop
                yield batches, start == 0, stop == len(order)
            if state.batch >= len(order) or self.callbacks.control.should_epoch_stop:
                state.epochs_done, state.batch = state.epochs_done + 1, 0
                self.callbacks.control.should_epoch_stop = False

    def _order(self, epoch: int) -> Sequence[np.ndarray]:
        order, tokens, together = self.job.order(epoch), self.job.tokens, self.state.batches_of_step
        return order if tokens is None else alike(order, tokens, together=together, seed=self.seed + epoch)

    def _batches(self, order: Sequence[np.ndarray], numbers: range) -> list[Batch]:
        """Those of a step's batches that are this process's; with shards all processes have as many, some of them idle."""
        tokens = self.job.tokens or len
        shares = share(numbers, [tokens(order[number]) for number in numbers], count=self.processes.count)
        own = [self._load(order[number], number) for number in shares[self.processes.rank]]
        missing = max(map(len, shares)) - len(own) if self.in_step else 0
        return own + [replace(self._load(order[numbers[0]], numbers[0]), is_idle=True)] * missing

    def _load(self, indices: np.ndarray, number: int) -> Batch:
        """A batch, and where its random numbers start: a batch has the same dropout in whichever process, also after a resume."""
        seeds = np.random.SeedSequence([self.seed, self.state.epochs_done, number]).generate_state(2, np.uint64)
        torch.manual_seed(int(seeds[0] >> 1))
        batch = self.job.load(indices, self.state.epochs_done, number)
        return replace(batch.to(self.job.model.device), seed=int(seeds[1] >> 1))
