"""The order of training data: every row once, like lengths together, random and repeatable."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.settings.training import TrainingArguments
from headway.training.order import epoch_batches, order_facts, shuffled_batches, with_warm_up

LENGTHS = np.array([3, 3, 5, 7, 11, 13, 2, 2, 2, 40] * 31)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(1, 9), st.integers(0, 3))
def test_every_row_stands_in_exactly_one_batch(lengths, size, epoch):
    for limits in ({"max_texts": size}, {"max_tokens": 10 * size}):
        batches = shuffled_batches(np.array(lengths), seed=1, epoch=epoch, **limits)
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
        assert all(len(batch) for batch in batches)


def test_batches_keep_to_their_budget_but_a_giant_runs_alone():
    batches = shuffled_batches(LENGTHS, seed=1, epoch=0, max_tokens=30)
    assert all(LENGTHS[batch].sum() <= 30 or len(batch) == 1 for batch in batches)
    assert sum(len(batch) == 1 and LENGTHS[batch[0]] == 40 for batch in batches) == 31


def test_texts_of_like_length_share_a_batch():
    spread = [np.ptp(LENGTHS[batch]) for batch in shuffled_batches(LENGTHS, seed=1, epoch=0, max_texts=5)]
    at_random = [np.ptp(LENGTHS[batch]) for batch in np.random.default_rng(0).permutation(len(LENGTHS)).reshape(-1, 5)]
    assert np.mean(spread) < 0.2 * np.mean(at_random)


def test_the_same_epoch_has_the_same_order_and_another_epoch_another():
    first, again, other = (
        [batch.tolist() for batch in shuffled_batches(LENGTHS, seed=5, epoch=epoch, max_texts=5)] for epoch in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_in_sequence_rows_come_as_they_stand():
    arguments = TrainingArguments("out", train_sampling_strategy="sequential", per_device_train_batch_size=7)
    batches = epoch_batches(LENGTHS, arguments, epoch=1)
    assert np.concatenate(batches).tolist() == list(range(310))
    assert {len(batch) for batch in batches} == {7, 310 % 7}
    full = epoch_batches(LENGTHS, replace(arguments, dataloader_drop_last=True), epoch=1)
    assert [batch.tolist() for batch in full] == [batch.tolist() for batch in batches[:-1]]
    assert order_facts(arguments) == {"train_sampling_strategy": "sequential"}
    assert order_facts(replace(arguments, train_sampling_strategy="group_by_length")) == {}


def test_short_and_long_batches_are_mixed():
    means = [LENGTHS[batch].mean() for batch in shuffled_batches(LENGTHS, seed=5, epoch=0, max_texts=5)]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.3


def test_exactly_one_limit_must_be_given():
    with pytest.raises(AssertionError):
        shuffled_batches(LENGTHS, seed=1, epoch=0)


def test_batches_warm_up_in_a_straight_line_and_every_text_stays():
    lengths = np.full(331, 7)
    plain = lambda epoch: shuffled_batches(lengths, seed=3, epoch=epoch, max_tokens=112)  # noqa: E731
    warm = [with_warm_up(plain, epoch, batches=40, first=0.25) for epoch in range(3)]
    for epoch, batches in enumerate(warm):
        assert sorted(np.concatenate(batches).tolist()) == list(range(331))
        assert [index.tolist() for index in with_warm_up(plain, epoch, batches=0, first=0.25)] == [
            index.tolist() for index in plain(epoch)
        ]
    sizes = [len(batch) for batches in warm for batch in batches]
    assert sizes[0] == 4  # a quarter of 16
    assert sizes[:40] != sizes[40:80]
    assert max(sizes[:20]) <= 8 + 1 < 16
    assert len(warm[0]) > len(warm[1]) >= len(warm[2]) == len(plain(2))  # the warm-up reaches into the second epoch
