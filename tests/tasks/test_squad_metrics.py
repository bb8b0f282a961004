"""SQuAD's measures, with numbers that can be checked by hand and against what the two official scripts do."""

import re
import string
from collections import Counter

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from headway.errors import DataError
from headway.tasks.squad_metrics import (
    ANSWERS,
    SquadScorer,
    best_threshold,
    exact_match_and_f1,
    exact_match_and_f1_or_none,
    gold_answers,
    is_withheld,
    normalised,
    word_f1,
)

WORDS = st.lists(
    st.sampled_from(["The", "a", "cat", "cat's", "CAT", "an", ".", "—", "  ", "sat", "1,000", "Éa", "theatre"]), max_size=6
)
ANSWER = WORDS.map(" ".join)
GOLDS = st.lists(ANSWER.filter(bool), max_size=3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Cat's\ta HAT!", "cats hat"),
        ("an A-team, the theatre", "ateam theatre"),
        ("£1,000 – “x”", "£1000 – “x”"),
        ("the.", ""),
        ("A the\u00a0An", ""),
    ],
)
def test_only_ascii_punctuation_articles_and_case_do_not_count(text, expected):
    assert normalised(text) == expected


def test_f1_counts_each_word_as_often_as_it_is_on_both_sides():
    assert word_f1("a b b c".split(), "b b d".split()) == pytest.approx(2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3))
    assert word_f1([], []) == word_f1(["a"], ["b"]) == 0.0


def test_the_best_of_the_right_answers_counts():
    assert exact_match_and_f1("The cat", ["dog", "a cat!", "cat sat"]) == (1.0, 1.0)
    assert exact_match_and_f1("big cat", ["dog", "cat sat on"]) == (0.0, pytest.approx(0.4))
    assert exact_match_and_f1("x", []) == (0.0, 0.0)


def test_nothing_is_right_where_there_is_no_answer_in_version_2_alone():
    assert exact_match_and_f1_or_none("", []) == exact_match_and_f1_or_none("the.", []) == (1.0, 1.0)
    assert exact_match_and_f1_or_none("cat", []) == (0.0, 0.0)
    assert exact_match_and_f1_or_none("", ["cat"]) == (0.0, 0.0)
    assert exact_match_and_f1("the", ["."]) == (1.0, 0.0)  # the script of version 1.1: equal, and without a common word
    assert exact_match_and_f1_or_none("the", [".", "cat"]) == (0.0, 0.0)


# The official scripts, from their definition.


def official_normalise(text):
    text = "".join(character for character in text.lower() if character not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def official_f1(answer, gold, *, version):
    found, right = official_normalise(answer).split(), official_normalise(gold).split()
    if version == 2 and not (found and right):
        return float(found == right)
    same = sum((Counter(found) & Counter(right)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(found), same / len(right)
    return 2 * precision * recall / (precision + recall)


def official_scores(answer, golds, *, version):
    if version == 2:
        golds = [gold for gold in golds if official_normalise(gold)] or [""]
    exact = max(float(official_normalise(gold) == official_normalise(answer)) for gold in golds)
    return exact, max(official_f1(answer, gold, version=version) for gold in golds)


def official_best(scores, no_answer, has_answer, answers):
    """``find_best_thresh`` of evaluate-v2.0.py."""
    current = best = sum(not has for has in has_answer)
    threshold = 0.0
    for place in sorted(range(len(scores)), key=lambda place: no_answer[place]):
        if has_answer[place]:
            current += scores[place]
        elif answers[place]:
            current -= 1
        if current > best:
            best, threshold = current, no_answer[place]
    return best / len(scores), threshold


@hypothesis.given(answer=ANSWER, golds=GOLDS)
def test_one_question_is_measured_as_by_the_official_scripts(answer, golds):
    if golds:
        assert exact_match_and_f1(answer, golds) == pytest.approx(official_scores(answer, golds, version=1))
    assert exact_match_and_f1_or_none(answer, golds) == pytest.approx(official_scores(answer, golds, version=2))


@hypothesis.given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.125, 0.5, 0.75, 1.0]), st.booleans(), st.booleans()),
        min_size=1,
        max_size=13,
    )
)
def test_the_best_threshold_is_the_official_one(rows):
    scores, no_answer, has_answer, empty = map(list, zip(*rows, strict=True))
    expected = official_best(scores, no_answer, has_answer, ["" if one else "x" for one in empty])
    found = best_threshold(
        np.array(scores), np.array(no_answer), has_answer_N=np.array(has_answer), is_empty_N=np.array(empty), lowest=0.0
    )
    assert found == expected


def test_without_questions_there_is_no_threshold_to_find():
    nothing = np.zeros(0)
    assert best_threshold(nothing, nothing, has_answer_N=nothing, is_empty_N=nothing, lowest=-1.0) == (0.0, -1.0)


def answered(text, *, score=0.5, best=None, none=0.25):
    best = text if best is None else best
    return [{"answer": text, "score": score, "no_answer_score": none, "best_answer": best, "best_score": 0.5}]


def measured(*rows):
    scorer = SquadScorer()
    return scorer, scorer.gather([scorer.observe(answer, {"answers": right}) for answer, right in rows])


def test_questions_that_all_have_answers_are_measured_by_version_1():
    scorer, table = measured(
        (answered("the cat"), ["a Cat", "dog"]), (answered("big cat"), {"text": ["cat"], "answer_start": [3]})
    )
    assert scorer.scores(table) == {"f1": pytest.approx((1 + 2 / 3) / 2), "exact_match": 0.5}
    assert scorer.scores(table[[0, 0, 1]])["exact_match"] == pytest.approx(2 / 3)  # as bootstrap takes rows
    assert scorer.scores(table[:0]) == {"f1": 0.0, "exact_match": 0.0}
    assert scorer.details(table)[0].rows == (("with an answer", 2, pytest.approx(5 / 6), 0.5),)


def test_questions_without_an_answer_make_it_version_2():
    scorer, table = measured(
        (answered("cat", none=0.125), ["cat"]),  # 0.375 surer than none
        (answered("", score=0.875, best="dog", none=0.875), ["dog"]),  # 0.375 less sure than none
        (answered("", score=0.75, best="sun", none=0.75), []),  # 0.25 less sure
        (answered("moon", none=0.25), []),  # 0.25 surer
    )
    assert scorer.scores(table) == {
        "f1": 0.5,
        "exact_match": 0.5,
        "has_answer_f1": 0.5,
        "has_answer_exact_match": 0.5,
        "no_answer_accuracy": 0.5,
        "best_f1": 0.75,  # cat alone, and none to the others
        "best_f1_threshold": -0.375,
        "best_exact_match": 0.75,
        "best_exact_match_threshold": -0.375,
    }
    (shown,) = scorer.details(table)
    assert shown.rows == (("with an answer", 2, 0.5, 0.5), ("without an answer", 2, 0.5, 0.5))
    assert scorer.scores(table[:1]).keys() == scorer.scores(table).keys()  # whatever rows bootstrap takes


def test_a_wrong_answer_is_worse_the_surer_it_is():
    scorer, right = SquadScorer(), {"answers": ["cat"]}
    assert scorer.wrongness(answered("the cat", score=0.9), right) == 0
    unsure, sure = scorer.wrongness(answered("dog", score=0.1), right), scorer.wrongness(answered("dog", score=0.9), right)
    assert 0 < unsure < sure
    assert scorer.wrongness(answered("big cat", score=0.9), right) < sure


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        ({"text": ["a"], "answer_start": [0]}, ["a"]),
        ({"text": "a"}, ["a"]),
        ([{"text": "a", "answer_start": 0}, {"text": "b"}], ["a", "b"]),
        (np.array(["a", "b"]), ["a", "b"]),
        ("a", ["a"]),
        ("", []),
        ([], []),
        ({"text": [], "answer_start": []}, []),
    ],
)
def test_right_answers_are_read_in_every_usual_form(value, expected):
    assert gold_answers(value) == expected


@pytest.mark.parametrize("value", [3, None, [3], ["a", None], {"answer_start": []}, [["a"]], b"a"])
def test_what_is_no_answer_is_refused(value):
    with pytest.raises(DataError, match=r"The answers are .*, but right answers are texts: .* Correct the row"):
        gold_answers(value)


def test_a_row_without_a_cell_for_answers_tells_none_but_an_empty_list_says_that_there_is_none():
    assert is_withheld({"answers": None}, None)
    assert not is_withheld({"answers": []}, None)
    assert ANSWERS.find(["id", "question", "answers"]) == {"answers": "answers"}
