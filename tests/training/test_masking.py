"""Masking: the paper's shares, special tokens left alone, targets where they belong."""

import numpy as np
import pytest
import torch

from headway.training.masking import Masking, mask_tokens, masked_batch
from headway.training.pieces import Text

MASKING = Masking(probability=0.15, mask_id=4, vocab_size=101, special_ids=(0, 1, 2, 3, 4))


def test_shares_are_those_of_the_paper():
    ids = np.full(200_000, 7)
    hidden, chosen = mask_tokens(ids, MASKING, np.random.default_rng(0))
    assert len(chosen) / len(ids) == pytest.approx(0.15, abs=0.003)
    fate = hidden[chosen]
    assert (fate == 4).mean() == pytest.approx(0.8, abs=0.01)
    assert (fate == 7).mean() == pytest.approx(0.1 + 0.1 / 96, abs=0.01)
    assert (hidden != ids).sum() == (fate != 7).sum()


def test_special_tokens_are_neither_chosen_nor_put_in():
    ids = np.tile([2, 50, 60, 3, 0, 1], 5000)
    hidden, chosen = mask_tokens(ids, MASKING, np.random.default_rng(0))
    assert set(ids[chosen]) == {50, 60}
    assert set(hidden[chosen]) & {0, 1, 2, 3} == set()


def test_at_least_one_token_is_predicted_where_there_is_any():
    for seed in range(20):
        assert len(mask_tokens(np.array([2, 50, 3]), MASKING, np.random.default_rng(seed))[1]) == 1
    assert len(mask_tokens(np.array([2, 3]), MASKING, np.random.default_rng(0))[1]) == 0


def test_targets_are_the_tokens_that_stood_at_their_places():
    texts = [Text(np.array([2, *range(10 * n, 10 * n + length), 3])) for n, length in ((1, 3), (2, 9), (4, 5))]
    batch = masked_batch(texts, MASKING, np.random.default_rng(1), device=torch.device("cpu"))
    shown = batch.packed.ids_T[batch.places]
    original = torch.tensor([id for index in batch.packed.order_B.tolist() for id in texts[index].ids.tolist()])
    assert torch.equal(original[batch.places], batch.targets)
    assert batch.count == len(batch.places) > 0
    assert (shown == 4).any()
    untouched = torch.ones(len(original), dtype=torch.bool)
    untouched[batch.places] = False
    assert torch.equal(batch.packed.ids_T[untouched], original[untouched])


def test_masks_follow_from_the_generator_alone():
    texts = [Text(np.arange(5, 60))]
    made = [masked_batch(texts, MASKING, np.random.default_rng([1, 2, n]), device=torch.device("cpu")) for n in (3, 3, 4)]
    assert torch.equal(made[0].places, made[1].places)
    assert not torch.equal(made[0].places, made[2].places)
