"""The shared scorers of classification: what they read, what they refuse, and what hypothesis may throw at them."""

import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import DataError
from headway.families import family
from headway.tasks import ModelFacts, task
from headway.tasks.classification_scorer import LabelScorer, LabelsScorer, NumberScorer, scorer_for
from headway.tasks.correlation import pearson, ranks, spearman
from headway.tasks.references import label_is_withheld, label_place, label_places

NLI = ("entailment", "neutral", "contradiction")


def facts_for(**settings):
    return ModelFacts(tokenizer=None, config=family("bert").config(**settings))


def answer(**scores):
    return [{"label": name, "score": score} for name, score in sorted(scores.items(), key=lambda pair: -pair[1])]


@pytest.mark.parametrize(
    ("value", "labels", "place"),
    [
        pytest.param("neutral", NLI, 1, id="by name"),
        pytest.param("CONTRADICTION", NLI, 2, id="by name in another case"),
        pytest.param("not_duplicate", ("duplicate", "NOT DUPLICATE"), 1, id="by name in another spelling"),
        pytest.param(2, NLI, 2, id="by number"),
        pytest.param("2", NLI, 2, id="by number as text"),
        pytest.param(2.0, NLI, 2, id="by number from a table with gaps"),
        pytest.param(np.int64(1), NLI, 1, id="by NumPy's number"),
        pytest.param("1", ("1", "2", "3"), 0, id="a number that is a name"),
        pytest.param(True, ("no", "yes"), 1, id="a truth value"),
        pytest.param(" positive ", ("NEGATIVE", "POSITIVE"), 1, id="with spaces"),
    ],
)
def test_a_reference_is_read_by_name_and_else_by_number(value, labels, place):
    assert label_place(value, labels) == place


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        pytest.param("nuetral", NLI, id="misspelt"),
        pytest.param(3, NLI, id="beyond the labels"),
        pytest.param(0, ("1", "2", "3"), id="a number where names are numbers"),
        pytest.param("yes", ("Yes", "YES"), id="two that are alike"),
        pytest.param(-1, NLI, id="-1"),
        pytest.param("", NLI, id="empty"),
    ],
)
def test_a_reference_that_is_no_label_is_refused_with_both_sides_and_the_way_to_map(value, labels):
    with pytest.raises(DataError, match=rf"is none of the model's: {', '.join(labels)}\. Say which .*--labels .*={labels[0]}"):
        label_place(value, labels)


def test_several_labels_are_a_list_of_names_numbers_or_bits_or_words_with_commas():
    labels = ("joy", "fear", "love", "hope, faith")
    for value in (["fear", "joy"], [1, 0], [1.0, 1.0, 0.0, 0.0], [True, True, False, False], "joy,fear", np.array([0, 1])):
        assert label_places(value, labels) == [0, 1]
    assert label_places([], labels) == label_places("", labels) == []
    assert label_places("hope, faith", labels) == [3]
    with pytest.raises(DataError, match="'hate' is none of the model's: joy, fear"):
        label_places(["hate"], labels)


@pytest.mark.parametrize(
    ("value", "settings", "withheld"),
    [
        (None, {}, True),
        (math.nan, {}, True),
        ("", {}, True),
        (-1, {}, True),
        ("-1", {}, True),
        (-1.0, {}, True),
        (0, {}, False),
        (-1, {"id2label": {0: "-1", 1: "0", 2: "1"}}, False),
        (-1, {"num_labels": 1}, False),
        (None, {"num_labels": 1}, True),
        ([], {"problem_type": "multi_label_classification"}, False),
    ],
)
def test_an_empty_label_or_minus_1_is_withheld_unless_the_model_means_it(value, settings, withheld):
    assert label_is_withheld({"label": value}, facts_for(**settings)) is withheld


def test_a_text_classifier_is_measured_as_it_was_trained():
    evaluation = task("text-classification").evaluation
    options = task("text-classification").choose(dict(evaluation.options))
    assert options.top_k is None
    found = evaluation.prepare(facts_for(id2label={0: "no", 1: "yes"}), options)
    assert found == LabelScorer(("no", "yes"))
    assert isinstance(evaluation.prepare(facts_for(problem_type="multi_label_classification"), options), LabelsScorer)
    assert isinstance(evaluation.prepare(facts_for(num_labels=1), options), NumberScorer)


def test_logits_have_no_calibration_and_0_for_a_threshold():
    assert "calibration_error" not in scorer_for(facts_for(), are_probabilities=False).scores(np.zeros((1, 3)))
    many = scorer_for(facts_for(problem_type="multi_label_classification"), are_probabilities=False)
    assert many.observe(answer(LABEL_0=0.2, LABEL_1=-0.2), {"label": []}) == bytes([2, 0])


def test_the_f1_of_two_labels_is_that_of_the_positive_one():
    # references a a a b, answers a a b b
    table = np.array([[0, 0, 0.9], [0, 0, 0.8], [0, 1, 0.7], [1, 1, 0.6]])
    assert LabelScorer(("a", "b")).scores(table)["f1"] == pytest.approx(2 / 3)
    assert LabelScorer(("a", "b"), positive=0).scores(table)["f1"] == pytest.approx(4 / 5)


def test_the_surer_a_wrong_answer_is_the_worse():
    one = LabelScorer(NLI)
    right, unsure, sure = (
        one.wrongness(answer(entailment=score, neutral=1 - score, contradiction=0.0), {"label": "entailment"})
        for score in (0.9, 0.4, 0.1)
    )
    assert 0 == right < unsure < sure
    many = LabelsScorer(("a", "b"))
    assert many.wrongness(answer(a=0.9, b=0.1), {"label": ["a"]}) == 0
    assert many.wrongness(answer(a=0.9, b=0.1), {"label": ["b"]}) == pytest.approx(2.8)
    assert NumberScorer().wrongness([{"label": "x", "score": 2.0}], {"label": "3.5"}) == 1.5


def test_answers_that_lack_a_label_count_it_as_the_least_likely():
    scorer = LabelScorer(("0", "1", "2", "3"), read=lambda answer: dict(zip("0123", answer, strict=False)))
    assert scorer.observe([0.2, 0.8], {"label": 1}) == (1, 1, 0.8)


def test_many_labels_have_their_commonest_mistakes_listed():
    names = tuple(f"intent {place}" for place in range(13))
    rows = [(place, place, 0.5) for place in range(13)] + [(2, 5, 0.9)] * 3 + [(7, 1, 0.9)]
    _, mistakes = LabelScorer(names).details(np.array(rows))
    assert mistakes.rows == (("intent 2", "intent 5", 3), ("intent 7", "intent 1", 1))


@pytest.mark.parametrize("value", ["good", None, math.inf, [1.0], True, 1e39])
def test_a_reference_that_is_no_number_is_refused(value):
    with pytest.raises(DataError, match="but this model gives numbers"):
        NumberScorer().observe([{"label": "x", "score": 2.0}], {"label": value})


def test_nothing_to_measure_is_0():
    for scorer in (LabelScorer(NLI), LabelsScorer(NLI), NumberScorer()):
        assert set(scorer.scores(scorer.gather([])).values()) == {0.0}


def test_ranks_are_shared_by_equal_numbers_and_constants_correlate_with_nothing():
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]
    assert pearson(np.array([2.0, 2.0]), np.array([1.0, 5.0])) == spearman(np.array([]), np.array([])) == 0


NAMES = st.lists(st.text(max_size=5), min_size=1, max_size=6, unique=True)
CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.text(max_size=3), max_size=3)
)


@st.composite
def classified(draw):
    names = draw(NAMES)
    scores = st.fixed_dictionaries({name: st.floats(0, 1) for name in names})
    answers = [[{"label": name, "score": score} for name, score in found.items()] for found in draw(st.lists(scores, max_size=9))]
    cells = st.one_of(st.sampled_from(names), st.integers(0, len(names) - 1), CELLS)
    return tuple(names), [(one, draw(cells)) for one in answers]


def in_range(name, value):
    return (-1.0 if "correlation" in name or name in ("pearson", "spearman") else 0.0) <= value <= 1.0


@given(classified())
def test_whatever_labels_there_are_one_or_several_scores_lie_in_their_range_or_a_reference_is_refused(data):
    names, rows = data
    for scorer in (LabelScorer(names), LabelsScorer(names)):
        observed = []
        for given_answer, label in rows:
            with suppress(DataError):
                observed.append(scorer.observe(given_answer, {"label": label}))
                assert scorer.wrongness(given_answer, {"label": label}) >= 0
        table = scorer.gather(observed)
        assert len(table) == len(observed)
        assert all(in_range(name, value) for name, value in scorer.scores(table).items())
        assert all(len(row) == len(details.header) for details in scorer.details(table) for row in details.rows)


@given(st.lists(st.tuples(st.floats(width=32, allow_nan=False, allow_infinity=False), CELLS), max_size=9))
def test_whatever_numbers_there_are_correlations_lie_in_their_range(rows):
    scorer, observed = NumberScorer(), []
    for score, label in rows:
        with suppress(DataError):
            observed.append(scorer.observe([{"label": "x", "score": score}], {"label": label}))
    found = scorer.scores(scorer.gather(observed))
    assert -1 <= found["pearson"] <= 1
    assert -1 <= found["spearman"] <= 1
    assert found["mean_squared_error"] >= 0
    scorer.details(scorer.gather(observed))
