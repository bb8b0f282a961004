"""The search for spans against trying all of them, and how spans become answers."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from headway.tasks.answer_spans import (
    Candidates,
    best_spans,
    candidates,
    highest,
    in_characters,
    joined,
    limited,
    shares,
    sliding_maximum,
    with_no_answer,
)
from headway.tasks.question_windows import Window, passage_of

NUMBERS = st.lists(st.sampled_from([0.0, 0.125, 0.25, 0.3, 0.5, 1.0]), min_size=0, max_size=13)


def all_spans(begin, end, *, count, longest):
    """Every span by its score, of equal ones the first first."""
    spans = [(-begin[i] * end[j], i, j) for i in range(len(begin)) for j in range(i, min(len(end), i + longest))]
    return [(i, j, -score) for score, i, j in sorted(spans)[:count]]


@hypothesis.given(data=st.data(), begin=NUMBERS, count=st.integers(1, 40), longest=st.integers(1, 20))
def test_the_best_spans_are_those_found_by_trying_all(data, begin, count, longest):
    end = data.draw(st.lists(st.sampled_from([0.0, 0.2, 0.5, 1.0]), min_size=len(begin), max_size=len(begin)))
    found = best_spans(np.array(begin, np.float32), np.array(end, np.float32), count=count, longest=longest)
    expected = all_spans(np.array(begin, np.float32), np.array(end, np.float32), count=count, longest=longest)
    assert list(zip(*(values.tolist() for values in found), strict=True)) == expected


def test_random_scores_have_the_same_spans_as_the_whole_square():
    generator = np.random.default_rng(5)
    begin, end = generator.random(311, np.float32), generator.random(311, np.float32)
    for count, longest in ((1, 1), (12, 15), (30, 311), (30, 1000), (7, 2)):
        square = np.tril(np.triu(np.outer(begin, end)), longest - 1)
        order = np.argsort(-square, axis=None)[:count]
        first, last, scores = best_spans(begin, end, count=count, longest=longest)
        assert [(first * 311 + last).tolist(), scores.tolist()] == [order.tolist(), square.flat[order].tolist()]


@hypothesis.given(values=st.lists(st.integers(0, 5), min_size=1, max_size=17), width=st.integers(1, 17))
def test_a_sliding_maximum_is_the_largest_of_each_and_those_behind(values, width):
    width = min(width, len(values))
    expected = [max(values[place : place + width]) for place in range(len(values))]
    assert sliding_maximum(np.array(values), width).tolist() == expected


def test_of_equal_values_the_first_are_the_highest():
    assert highest(np.array([1, 3, 2, 3, 3, 2]), 4).tolist() == [1, 3, 4, 2]
    assert highest(np.array([1, 3, 2, 3]), 9).tolist() == [1, 3, 2, 0]


def test_shares_are_of_the_context_and_no_answer_together():
    logits = np.log(np.array([2, 7, 1, 5, 9], np.float32))
    context, nothing = shares(logits, Window(start=4, place=2, count=2), has_no_answer_token=True)
    assert [*context.tolist(), float(nothing)] == pytest.approx([1 / 8, 5 / 8, 2 / 8])
    context, nothing = shares(logits, Window(start=4, place=2, count=2), has_no_answer_token=False)
    assert [*context.tolist(), float(nothing)] == pytest.approx([1 / 6, 5 / 6, 0])


def test_a_window_without_tokens_has_no_spans_and_no_answer_is_certain():
    logits, window = np.array([-3, 4, 5], np.float32), Window(start=0, place=3, count=0)
    found = candidates(logits, logits, window, count=5, longest=3, has_no_answer_token=True)
    assert (len(found.first), len(found.last), len(found.scores), found.no_answer) == (0, 0, 0, 1.0)
    assert candidates(logits, logits, window, count=5, longest=3, has_no_answer_token=False).no_answer == 0.0


@pytest.mark.parametrize("value", [1e4, -1e4, 3e38, -3e38])
def test_huge_logits_are_no_trouble(value):
    logits = np.array([0, value, value], np.float32)
    found = candidates(logits, logits, Window(start=0, place=1, count=2), count=5, longest=3, has_no_answer_token=True)
    assert found.scores.tolist() == ([0.25] * 3 if value > 0 else [0.0] * 3)


def test_a_word_that_a_window_cuts_is_whole_as_far_as_the_window_holds_it():
    offsets = [(0, 2), (3, 5), (5, 7), (7, 11), (12, 16)]  # an un lo vely film
    passage = passage_of("an unlovely film", offsets, [0, 1, 1, 1, 2])
    found = Candidates(np.array([2]), np.array([2]), np.array([0.5]), 0.0)
    for window, place in ((Window(0, 0, 5), (3, 11)), (Window(2, 0, 3), (5, 11)), (Window(0, 0, 3), (3, 7))):
        assert list(in_characters(found, passage, window, by_words=True)) == [(*place, 0.5)]
        assert list(in_characters(found, passage, window, by_words=False)) == [(5, 7, 0.5)]


def test_equal_words_are_one_answer_where_they_first_stood_and_their_scores_add_up():
    context = "The dog and the Dog"
    spans = [(4, 7, 0.25), (0, 3, 0.375), (16, 19, 0.25), (12, 15, 0.125)]
    assert joined(context, spans) == [
        {"score": 0.5, "start": 4, "end": 7, "answer": "dog"},
        {"score": 0.5, "start": 0, "end": 3, "answer": "The"},
    ]


def answers(*scores):
    return [{"score": score, "start": place, "end": place + 1, "answer": "x"} for place, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("score", "threshold", "place"),
    [
        pytest.param(0.4, None, 1, id="by its score"),
        pytest.param(0.5, None, 1, id="behind an equal one"),
        pytest.param(0.6, None, 0, id="before a smaller one"),
        pytest.param(0.6, 0.125, 1, id="the threshold is not reached"),
        pytest.param(0.1, 0.125, 2, id="its place behind the best"),
        pytest.param(0.25, -0.25, 1, id="a difference as large as the threshold is not larger"),
        pytest.param(0.26, -0.25, 0, id="a threshold below 0 makes it likelier"),
        pytest.param(0.625, 0.125, 1, id="equal to the threshold"),
    ],
)
def test_no_answer_stands_where_its_score_or_the_threshold_puts_it(score, threshold, place):
    found = with_no_answer(answers(0.5, 0.2), score, threshold=threshold)
    assert len(found) == 3
    assert found[place] == {"score": score, "start": 0, "end": 0, "answer": ""}


def test_a_threshold_takes_a_sum_of_windows_for_certainty():
    assert with_no_answer(answers(1.75), 0.9, threshold=-0.2)[0]["answer"] == ""


def test_without_spans_there_is_no_answer_whatever_the_threshold():
    assert with_no_answer([], 0.25, threshold=0.9) == [{"score": 0.25, "start": 0, "end": 0, "answer": ""}]


def test_a_score_is_at_most_1():
    assert [limited(answer)["score"] for answer in answers(0.5, 1.75)] == [0.5, 1.0]
