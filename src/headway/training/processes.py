"""The processes of a training: one alone, or several that ``torchrun`` started, on one machine or many.

Each has all the weights and a part of every step's batches; gradients are added up before the step, so all take the same one.
What is agreed beside gradients (counts, losses, wishes to stop) goes over gloo between processors and waits for no GPU.
"""

import atexit
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from headway.errors import ConfigError, HeadwayError

Made = TypeVar("Made")
BUCKET_NUMBERS = 8_000_000
"""Numbers of gradients that are added up over processes at once."""


@dataclass(frozen=True)
class Processes:
    """This process among those of the training. Every method is called in all of them, and alone does nothing."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    @property
    def is_first_of_machine(self) -> bool:
        """Whether this process is the first on its machine."""
        return self.count == 1 or os.environ.get("LOCAL_RANK", "0") == "0"

    def numbers(self, *values: float) -> np.ndarray:
        """The numbers of all processes, (processes, values)."""
        own = torch.tensor(values, dtype=torch.float64)
        if self.count == 1:
            return own[None].numpy()
        found = [torch.empty_like(own) for _ in range(self.count)]
        dist.all_gather(found, own)
        return torch.stack(found).numpy()

    def wishes(self, *values: bool) -> list[bool]:
        """Which of the values are true in any process."""
        return [bool(column.any()) for column in self.numbers(*values).T]

    def sum(self, value: float) -> float:
        """The sum over all processes."""
        return float(self.numbers(value).sum())

    def gathered(self, value: Made) -> list[Made]:
        """What each process has, in order."""
        if self.count == 1:
            return [value]
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, value)  # between processors, where there are GPUs too
        return found

    def from_first(self, make: Callable[[], Made]) -> Made:
        """What the first process makes; the others wait for it, and an error of Headway's is one in all of them."""
        if self.count == 1:
            return make()
        made: list[Any] = [None, None]
        if self.is_first:
            try:
                made[0] = make()
            except HeadwayError as error:
                made[1] = error
        dist.broadcast_object_list(made, src=0, device=torch.device("cpu"))
        if made[1] is not None:
            raise made[1]
        return made[0]

    def wait(self) -> None:
        """Until all processes have come here."""
        self.numbers(0)

    def first_before_others(self, make: Callable[[], Made]) -> Made:
        """What each process makes, the first one before the others: they find what it left on disk."""
        if self.count == 1:
            return make()
        if not self.is_first:
            self.from_first(lambda: None)
            return make()
        kept: list[Made] = []
        self.from_first(lambda: kept.append(make()))
        return kept[0]

    def add_gradients(self, model: nn.Module) -> None:
        """Add up the gradients of all processes, in the same order of numbers each time, so that a run can be repeated."""
        if self.count == 1:
            return
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        if any(isinstance(weight, DTensor) for weight in trained):
            return  # shards were added up as they came
        used = self.wishes(*(weight.grad is not None for weight in trained))  # what nobody used stays without one
        sparse = self.wishes(*(weight.grad is not None and weight.grad.is_sparse for weight in trained))
        for weight in (weight for weight, is_sparse in zip(trained, sparse, strict=True) if is_sparse):
            weight.grad = self._rows_of_all(weight)
        dense = zip(trained, used, sparse, strict=True)
        for weights in buckets(weight for weight, is_used, is_sparse in dense if is_used and not is_sparse):
            gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            dist.all_reduce(flat)
            for weight, part in zip(weights, flat.split([weight.numel() for weight in weights]), strict=True):
                weight.grad = part.view_as(weight)

    def _rows_of_all(self, weight: nn.Parameter) -> Tensor:
        """The gradients of those rows of a table that any process has one of, added up."""
        own = None if weight.grad is None else weight.grad.coalesce()
        found = self.gathered(None if own is None else (own.indices().cpu(), own.values().cpu()))
        kept = [one for one in found if one is not None]
        rows, values = torch.cat([rows for rows, _ in kept], dim=1), torch.cat([values for _, values in kept])
        return torch.sparse_coo_tensor(rows, values, weight.shape, device=weight.device).coalesce()

    def same_weights(self, model: nn.Module) -> None:
        """Give all processes the weights of the first, those too that are learnt but no part of what is saved."""
        if self.count > 1:
            for tensor in {**dict(model.named_parameters()), **model.state_dict()}.values():
                dist.broadcast(tensor.detach(), src=0)


ALONE = Processes()


def buckets(weights: Iterable[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Weights in groups whose gradients travel together, none much above ``BUCKET_NUMBERS``; the last weights come first."""
    groups: list[list[nn.Parameter]] = []
    room = 0
    for weight in reversed(list(weights)):
        if not groups or room < weight.numel() or groups[-1][-1].dtype != weight.dtype:
            groups.append([])
            room = BUCKET_NUMBERS
        groups[-1].append(weight)
        room -= weight.numel()
    return groups


def current() -> Processes:
    """This process among those that have joined; alone where none has."""
    if dist.is_available() and dist.is_initialized():
        return Processes(dist.get_rank(), dist.get_world_size())
    return ALONE


def join(*, timeout_seconds: float = 1800) -> Processes:
    """Join the other processes, where ``torchrun`` started several: its environment says how many and where they meet."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ or dist.is_initialized():
        return current()
    has_gpu, local = torch.cuda.is_available(), int(os.environ.get("LOCAL_RANK", "0"))
    if has_gpu:
        if local >= torch.cuda.device_count():
            raise ConfigError(
                f"Process {local} of this machine finds {torch.cuda.device_count()} GPUs, and each needs one. Start no "
                f"more processes than GPUs: torchrun --nproc-per-node {torch.cuda.device_count()}."
            )
        torch.cuda.set_device(local)
    dist.init_process_group("cpu:gloo,cuda:nccl" if has_gpu else "gloo", timeout=timedelta(seconds=timeout_seconds))
    atexit.register(_leave)
    return current()


def share(batches: Sequence[int], tokens: Sequence[int], *, count: int) -> list[list[int]]:
    """The batches of a step that each of ``count`` processes takes: as equal in tokens as they allow, each in exactly one."""
    loads, owners = [0] * count, dict.fromkeys(batches, 0)
    for size, batch in sorted(zip(tokens, batches, strict=True), reverse=True):
        owners[batch] = min(range(count), key=lambda rank: (loads[rank], rank))
        loads[owners[batch]] += size
    return [[batch for batch in batches if owners[batch] == rank] for rank in range(count)]


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
