"""Pairs of segments: their shares, labels and lengths, as the papers' authors build them."""

import numpy as np
import pytest

from headway.training.corpus import Corpus
from headway.training.pairs import Drawing, next_sentences, sentence_orders


def corpus_of(documents):
    """A corpus whose documents are sentences of so many tokens; each token is a number of its own."""
    lengths = [length for document in documents for length in document]
    total = sum(lengths)
    return Corpus(
        shards=(np.arange(total),),
        words=(),
        firsts=np.array([0]),
        ends=np.cumsum([sum(document) for document in documents]),
        sentence_ends=np.cumsum(lengths),
        fingerprint="",
    )


@pytest.fixture(scope="module")
def corpus():
    chance = np.random.default_rng(5)
    return corpus_of([chance.integers(3, 23, chance.integers(2, 41)).tolist() for _ in range(211)])


def document_of(corpus, place):
    return int(np.searchsorted(corpus.ends, place, side="right"))


@pytest.fixture(scope="module")
def following(corpus):
    chosen = np.ones(len(corpus.ends), dtype=bool)
    return next_sentences(corpus, chosen, Drawing(max_length=61), np.random.default_rng(0))


def test_half_of_the_second_segments_follow_and_the_others_are_from_another_document(corpus, following):
    spans, labels = following.spans, following.labels
    assert len(labels) > 600
    same = np.array([document_of(corpus, a) == document_of(corpus, c) for a, _, c, _ in spans])
    assert (same == (labels == 0)).all()
    # a chunk of a single sentence has nothing that follows, so slightly more than half are random, as with the authors' code
    assert 0.46 < (labels == 1).mean() < 0.62
    kept = labels == 0
    gaps = spans[kept, 2] - spans[kept, 1]
    assert (gaps >= 0).all()  # tokens are cut at the seam at most
    assert (gaps == 0).mean() > 0.3


def test_pairs_fill_the_length_but_for_a_tenth_that_are_short(following):
    lengths = following.lengths
    assert lengths.max() == 61
    assert (lengths == 61).mean() > 0.6
    alone = corpus_of([[4] * 4001, [4] * 4001])
    random = np.random.default_rng(1)
    none, many = (
        next_sentences(alone, np.ones(2, dtype=bool), Drawing(max_length=61, short=short), random).lengths for short in (0.0, 1.0)
    )
    assert (none == 61).mean() > 0.98
    assert (many < 50).mean() > 0.6
    drawn = [Drawing(max_length=61).target(random) for _ in range(20_000)]
    assert np.mean([target < 58 for target in drawn]) == pytest.approx(0.1 * 56 / 57, abs=0.01)
    assert min(drawn) == 2


def test_a_pair_reads_as_two_framed_segments(corpus, following):
    text = following.text(7, first=-1, last=-2)
    a, b, c, d = following.spans[7]
    assert text.ids.tolist() == [-1, *range(a, b), -2, *range(c, d), -2]
    assert text.types.tolist() == [0] * (b - a + 2) + [1] * (d - c + 1)
    assert text.label == following.labels[7]


def test_half_of_the_orders_are_changed_and_both_segments_are_neighbours(corpus):
    found = sentence_orders(corpus, np.ones(211, dtype=bool), Drawing(max_length=61), np.random.default_rng(0))
    assert (found.labels == 1).mean() == pytest.approx(0.5, abs=0.05)
    first, second = found.spans[:, :2].copy(), found.spans[:, 2:].copy()
    swapped = found.labels == 1
    first[swapped], second[swapped] = found.spans[swapped, 2:], found.spans[swapped, :2]
    assert (first[:, 1] <= second[:, 0]).all()
    assert all(document_of(corpus, a) == document_of(corpus, b) for a, b in zip(first[:, 0], second[:, 0], strict=True))
    assert found.lengths.max() <= 61


def test_documents_that_are_not_chosen_are_in_no_pair(corpus):
    chosen = np.arange(211) % 3 == 0
    found = next_sentences(corpus, chosen, Drawing(max_length=61), np.random.default_rng(0))
    touched = {document_of(corpus, place) for place in found.spans[:, [0, 2]].ravel()}
    assert touched <= set(np.flatnonzero(chosen))
    assert len(touched) == 71


def test_a_single_document_of_a_single_sentence_makes_no_pair():
    found = next_sentences(corpus_of([[9]]), np.ones(1, dtype=bool), Drawing(max_length=61), np.random.default_rng(0))
    assert len(found.labels) == 0
