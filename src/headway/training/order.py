"""The order in which training sees its data: random, yet with texts of like length together.

It is decided from lengths and a seed alone.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from headway.errors import ConfigError
from headway.settings.training import TrainingArguments

SEQUENTIAL = "sequential"
POOL = 64
"""Batches drawn together: sorted by length within, random between. The larger, the more alike a batch and the less random."""


def epoch_batches(lengths: np.ndarray, arguments: TrainingArguments, epoch: int) -> list[np.ndarray]:
    """The batches of an epoch as the arguments want them."""
    size = arguments.per_device_train_batch_size
    if arguments.train_sampling_strategy == SEQUENTIAL:
        return _full(_by_texts(np.arange(len(lengths)), size), arguments)
    seed = arguments.seed if arguments.data_seed is None else arguments.data_seed
    return _full(shuffled_batches(lengths, seed=seed, epoch=epoch, max_texts=size), arguments)


def _full(batches: list[np.ndarray], arguments: TrainingArguments) -> list[np.ndarray]:
    size = arguments.per_device_train_batch_size
    full = [batch for batch in batches if len(batch) == size or not arguments.dataloader_drop_last]
    if not full:
        raise ConfigError(
            f"dataloader_drop_last leaves no batch: there are {sum(map(len, batches))} texts, and per_device_train_batch_size is "
            f"{size}. Use a smaller one, or leave dataloader_drop_last out."
        )
    return full


def order_facts(arguments: TrainingArguments) -> dict[str, Any]:
    """What decides the order beside the seed, where it was set: a run is resumed only under the same."""
    given = {
        "data_seed": arguments.data_seed,
        "dataloader_drop_last": arguments.dataloader_drop_last or None,
        "train_sampling_strategy": SEQUENTIAL if arguments.train_sampling_strategy == SEQUENTIAL else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def shuffled_batches(
    lengths: np.ndarray, *, seed: int, epoch: int, max_texts: int | None = None, max_tokens: int | None = None
) -> list[np.ndarray]:
    """Indices of each batch of one epoch; every index stands exactly once.

    Texts are shuffled, divided into pools, sorted by length within a pool (ties stay random) and cut by ``max_texts`` or by
    ``max_tokens``, counted without padding; the batches are then shuffled. The same seed and epoch give the same order.
    """
    assert (max_texts is None) != (max_tokens is None)
    random = np.random.default_rng([seed, epoch])
    shuffled = random.permutation(len(lengths))
    typical = max_texts or max(1, int((max_tokens or 0) / max(1.0, float(lengths.mean())))) if len(lengths) else 1
    batches: list[np.ndarray] = []
    for start in range(0, len(shuffled), POOL * typical):
        pool = shuffled[start : start + POOL * typical]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += _by_texts(pool, max_texts) if max_texts else _by_tokens(pool, lengths, max_tokens or 0)
    return [batches[index] for index in random.permutation(len(batches))]


def alike(batches: Sequence[np.ndarray], tokens: Callable[[np.ndarray], int], *, together: int, seed: int) -> list[np.ndarray]:
    """The batches in another order, in which each step's ``together`` batches have about as many tokens as one another.

    So no process waits long for another. Batches are sorted within pools, divided into steps, and the steps shuffled; a step with
    fewer batches comes last.
    """
    if together == 1:
        return list(batches)
    steps: list[list[np.ndarray]] = []
    for start in range(0, len(batches), POOL * together):
        pool = sorted(batches[start : start + POOL * together], key=tokens)
        steps += [pool[first : first + together] for first in range(0, len(pool), together)]
    whole = [step for step in steps if len(step) == together]
    order = np.random.default_rng([seed, len(batches)]).permutation(len(whole))
    return [batch for step in [*(whole[place] for place in order), *steps[len(whole) :]] for batch in step]


def with_warm_up(order: Callable[[int], list[np.ndarray]], epoch: int, *, batches: int, first: float) -> list[np.ndarray]:
    """The batches of an epoch, those among the first so ``batches`` of the training divided into smaller ones.

    They grow in a straight line, from a share ``first`` of the whole batches on; each text stays in its epoch.
    """
    done = 0
    for before in range(epoch):
        if done >= batches:
            break
        done += len(_divided(order(before), done, batches, first))
    return _divided(order(epoch), done, batches, first)


def _divided(whole: list[np.ndarray], done: int, batches: int, first: float) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for batch in whole:
        number = done + len(found)
        share = first + (1 - first) * number / batches if number < batches else 1.0
        found += np.array_split(batch, min(len(batch), math.ceil(1 / share - 1e-9)))
    return found


def _by_texts(pool: np.ndarray, max_texts: int) -> list[np.ndarray]:
    return [pool[start : start + max_texts] for start in range(0, len(pool), max_texts)]


def _by_tokens(pool: np.ndarray, lengths: np.ndarray, max_tokens: int) -> list[np.ndarray]:
    batches, start, tokens = [], 0, 0
    for stop, length in enumerate(lengths[pool].tolist()):
        if stop > start and tokens + length > max_tokens:
            batches.append(pool[start:stop])
            start, tokens = stop, 0
        tokens += length
    return [*batches, pool[start:]]
