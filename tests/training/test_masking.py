"""Masking: the paper's shares, special tokens left alone, targets where they belong."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headway.training.masking import Masking, mask_tokens, masked_batch, span_length
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


def words_of_three(count):
    """Texts of words with 1, 2 and 3 tokens, over and over, between special tokens."""
    ids, starts = [2], [True]
    for number in range(count):
        for place in range(number % 3 + 1):
            ids.append(10 + number % 80)
            starts.append(place == 0)
    return np.array([*ids, 3]), np.array([*starts, True])


def test_whole_words_are_hidden_or_shown_whole():
    ids, starts = words_of_three(30_000)
    masking = replace(MASKING, unit="whole-word")
    hidden, chosen = mask_tokens(ids, masking, np.random.default_rng(0), word_starts_T=starts)
    assert len(chosen) / (len(ids) - 2) == pytest.approx(0.15, abs=0.005)
    taken = np.isin(np.arange(len(ids)), chosen)
    word = np.cumsum(starts)
    shares = np.bincount(word, taken) / np.bincount(word).clip(min=1)
    assert set(shares.tolist()) <= {0.0, 1.0}
    assert (hidden[chosen] == 4).mean() == pytest.approx(0.8, abs=0.01)


def test_spans_have_the_lengths_and_the_share_of_the_paper_and_one_fate():
    """Joshi et al., 2020, section 3.1: geometric with 0.2, at most 10, so 3.8 words on average; 15 % of each text."""
    ids, starts = np.arange(10_002) % 90 + 5, np.ones(10_002, dtype=bool)
    masking = replace(MASKING, unit="span")
    lengths = [100] * 100 + [2]
    fates = []
    for seed in range(10):
        hidden, chosen = mask_tokens(ids, masking, np.random.default_rng(seed), word_starts_T=starts, lengths=lengths)
        counts = np.bincount(chosen // 100, minlength=100)[:100]
        assert counts.min() >= 15
        assert counts.max() <= 16
        runs = np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1)
        fates += [(hidden[run] == 4).mean() for run in runs if len(run) > 1]
    assert np.mean([fate in (0.0, 1.0) for fate in fates]) > 0.9  # neighbouring spans may differ
    assert np.mean(fates) == pytest.approx(0.8, abs=0.03)
    drawn = [span_length(np.random.default_rng(seed)) for seed in range(20_000)]
    assert np.mean(drawn) == pytest.approx(3.8, abs=0.06)
    assert (min(drawn), max(drawn)) == (1, 10)


def test_spans_are_of_whole_words():
    ids, starts = words_of_three(3_000)
    _, chosen = mask_tokens(
        ids, replace(MASKING, unit="span"), np.random.default_rng(0), word_starts_T=starts, lengths=[len(ids)]
    )
    taken = np.isin(np.arange(len(ids)), chosen)
    word = np.cumsum(starts)
    shares = np.bincount(word, taken) / np.bincount(word).clip(min=1)
    assert set(shares.tolist()) <= {0.0, 1.0}
    assert not taken[[0, -1]].any()


def test_a_text_without_words_to_begin_a_span_ends():
    _, chosen = mask_tokens(
        np.array([2, 50, 60, 3]), replace(MASKING, unit="span"), np.random.default_rng(0), word_starts_T=np.zeros(4, dtype=bool)
    )
    assert len(chosen) == 0


def test_the_batch_says_what_second_terms_weigh():
    texts = [Text(np.arange(5, 60), label=1), Text(np.arange(5, 12), label=0), Text(np.arange(5, 31), label=0)]
    batch = masked_batch(texts, MASKING, np.random.default_rng(1), device=torch.device("cpu"))
    assert batch.pair_labels.tolist() == [1, 0, 0]  # longest first
    assert batch.packed.order_B.tolist() == [0, 2, 1]
    assert batch.per_text == pytest.approx(batch.count / 3)
    assert batch.per_token == pytest.approx(batch.count / 88)
