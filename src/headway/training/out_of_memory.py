"""What happens when memory does not suffice: what ran is thrown away, and done again in smaller parts.

The size that was found to fit is kept. Random numbers start again where they stood, so that a run which begins with the size that
another one found takes the same steps.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from headway.errors import OutOfMemoryError
from headway.training.batch import Batch
from headway.training.memory import stop_keeping_freed_memory
from headway.training.parts import halves, parts_of

MESSAGES = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUDA out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
    "bad allocation",
    "could not create a memory object",  # oneDNN's, which say no more
    "could not create a primitive",
)
"""What torch and its libraries say when memory did not suffice, under exceptions that mean other things too."""

REMEDIES = (
    "Lower max_length, so that long texts are cut; set gradient_checkpointing=True, which keeps less for the backward pass; use "
    "bf16=True; or train a smaller model."
)

Found = TypeVar("Found")
Given = TypeVar("Given")
Accumulate: TypeAlias = Callable[[Batch], None]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this exception says that memory did not suffice."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in MESSAGES)


def free_memory(device: torch.device) -> None:
    """Give back what is kept but not used, so that blocks of other sizes fit."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    stop_keeping_freed_memory()


@dataclass(frozen=True)
class RandomState:
    """Where torch's random numbers stand."""

    cpu: torch.Tensor
    cuda: torch.Tensor | None

    @classmethod
    def now(cls, device: torch.device) -> "RandomState":
        """Where they stand now."""
        return cls(torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None)

    def restore(self, device: torch.device) -> None:
        """Go on from there again."""
        torch.set_rng_state(self.cpu)
        if self.cuda is not None:
            torch.cuda.set_rng_state(self.cuda, device)


def accumulate_what_fits(
    model: nn.Module,
    batches: Sequence[Batch],
    *,
    device: torch.device,
    begin: Callable[[], object],
    accumulate: Accumulate,
    done: Callable[[int], None],
    max_tokens: int | None,
) -> int | None:
    """Accumulate the gradients of all batches, in parts of at most ``max_tokens``; returns the limit under which they did fit.

    ``begin`` is called before the first part, again after each failure, ``accumulate`` for each part, and ``done`` with a batch's
    number once all of it was accumulated. A single text that does not fit is an ``OutOfMemoryError``.
    """
    random = RandomState.now(device)
    while True:
        begin()
        failed = _first_that_fails(batches, accumulate=accumulate, done=done, max_tokens=max_tokens)
        if failed is None:
            return max_tokens
        if any(isinstance(weight, DTensor) for weight in model.parameters()):
            raise OutOfMemoryError(
                "Memory does not suffice for this batch, and with fsdp no process can divide its own. Lower "
                "per_device_train_batch_size, and raise gradient_accumulation_steps by as much to learn the same."
            )
        # the exception and its frames, which hold what the failed pass had computed, are gone by now
        model.zero_grad(set_to_none=True)
        free_memory(device)
        random.restore(device)
        max_tokens = smaller_limit(failed)


def smaller_limit(failed: Batch, *, doing: str = "learn from") -> int:
    """The tokens of the larger half of a batch that did not fit; an ``OutOfMemoryError`` where it has no halves."""
    if failed.compares_all and (limit := min(failed.tokens, failed.at_once or failed.tokens) // 2) >= failed.packed.lengths[0]:
        return limit
    found = None if failed.compares_all else halves(failed)
    if found is None:
        texts = len(failed.packed.lengths)
        what = f"one row of {failed.tokens} tokens" if texts == 1 else f"one question of {texts} choices ({failed.tokens} tokens)"
        raise OutOfMemoryError(f"Memory does not suffice to {doing} {what}, and it cannot be divided further. {REMEDIES}")
    return max(half.tokens for half in found)


def _first_that_fails(
    batches: Sequence[Batch], *, accumulate: Accumulate, done: Callable[[int], None], max_tokens: int | None
) -> Batch | None:
    """Accumulate all batches, or return the part for which memory did not suffice."""
    for number, batch in enumerate(batches, 1):
        for part in parts_of(batch, max_tokens):
            try:
                accumulate(part)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                return part
        done(number)
    return None


def run_what_fits(
    run: Callable[[Sequence[int]], Found], batches: Sequence[Sequence[int]], *, device: torch.device
) -> Iterator[tuple[Sequence[int], Found]]:
    """What ``run`` makes of each batch of rows, given as indices; of its halves where memory does not suffice for it.

    From then on no batch has more rows than those halves. A single row that does not fit is an ``OutOfMemoryError``.
    """
    waiting, most = [list(batch) for batch in reversed(batches)], max(map(len, batches), default=1)
    while waiting:
        rows = waiting.pop()
        if len(rows) > most:
            waiting += [rows[most:], rows[:most]]
            continue
        fits, found = _tried(run, rows)
        if fits:
            assert found is not None
            yield rows, found
            continue
        free_memory(device)
        if len(rows) == 1:
            raise OutOfMemoryError(
                f"Memory does not suffice to run the model on row {rows[0]} alone. Lower max_length, so that long texts are cut; "
                "use bf16=True; or a smaller model."
            )
        most = -(-len(rows) // 2)
        waiting.append(rows)


def run_parts_that_fit(run: Callable[[Batch], Found], batches: Iterable[Batch], *, device: torch.device) -> Iterator[Found]:
    """What ``run`` makes of each batch, or of its parts where memory does not suffice for it; those that follow are no larger.

    A text that does not fit alone is an ``OutOfMemoryError``.
    """
    limit: int | None = None
    for batch in batches:
        waiting = [batch]
        while waiting:
            waiting = [part for one in waiting for part in parts_of(one, limit)]
            random = RandomState.now(device)
            fits, found = _tried(run, waiting[0])
            if fits:
                assert found is not None
                yield found
                waiting = waiting[1:]
                continue
            free_memory(device)
            random.restore(device)
            limit = smaller_limit(waiting[0], doing="run the model on")


def _tried(run: Callable[[Given], Found], given: Given) -> tuple[bool, Found | None]:
    try:
        return True, run(given)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return False, None


def take_step(optimizer: torch.optim.Optimizer) -> None:
    """The optimiser's step; where not even that fits, no smaller parts help, and the error says what does."""
    try:
        optimizer.step()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            "Memory does not suffice for the optimiser's own state beside weights and gradients, however small batches are. Use "
            "an optimiser that keeps less (optim='adafactor' or 'sgd'), train fewer weights (freeze='embeddings'), or a smaller "
            "model."
        ) from error
