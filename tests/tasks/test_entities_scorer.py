"""How labels of words are measured: what counts, what is refused, what people see."""

import numpy as np
import pytest

import headway
from headway.errors import DataError
from headway.tasks.entity_scorer import EntityScorer
from tasks.entity_models import LABELS, save_model


def answer(labels, scores=None):
    scores = [0.5] * len(labels) if scores is None else scores
    return [{"entity": label, "score": score} for label, score in zip(labels, scores, strict=True)]


def scorer(scheme="BIO", names=LABELS):
    return EntityScorer(names, scheme)


def measured(pairs, **options):
    found = scorer(**options)
    table = found.gather([found.observe(answer(given.split()), {"labels": right.split()}) for given, right in pairs])
    return found.scores(table), found.details(table)


PAIRS = [
    ("B-PER I-PER O B-LOC", "B-PER I-PER O B-ORG"),  # a person right, a place for an organisation
    ("O I-PER O", "O B-PER O"),  # right leniently, no entity strictly
    ("O O", "O O"),
]


def test_entities_are_counted_leniently_and_strictly_and_words_too():
    scores, (table,) = measured(PAIRS)
    assert scores["f1"] == pytest.approx(2 * 2 / (3 + 3))
    assert scores["macro_f1"] == pytest.approx((1 + 0 + 0) / 3)
    assert scores["strict_f1"] == pytest.approx(2 * 1 / (2 + 3))
    assert scores["strict_precision"] == pytest.approx(1 / 2)
    assert scores["accuracy"] == pytest.approx(7 / 9)
    assert next(iter(scores)) == "f1"
    assert table.rows == (
        ("LOC", 0, 0, 0, 0, 0, 1),
        ("ORG", 0, 0, 0, 0, 1, 0),
        ("PER", 1, 1, 1, pytest.approx(2 / 3), 2, 2),
    )


def test_parts_of_speech_are_measured_by_words_first():
    scores, _ = measured([("NOUN VERB NOUN", "NOUN NOUN NOUN")], scheme="IO", names=("NOUN", "VERB"))
    assert next(iter(scores)) == "accuracy"
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert "strict_f1" not in scores


def test_references_of_another_scheme_are_read_leniently():
    assert measured([("B-PER I-PER O", "I-PER I-PER O")])[0]["f1"] == 1
    assert measured([("B-PER I-PER O", "B-PER E-PER O")])[0]["f1"] == 1
    assert measured([("B-PER I-PER O", "B-MISC I-MISC O")])[0] | {"f1": 0} == measured([("B-PER I-PER O", "B-MISC I-MISC O")])[0]


def test_references_may_be_numbers_and_some_words_may_not_count():
    found = scorer()
    words, _ = found.observe(answer(["O", "B-PER", "B-LOC", "O"]), {"labels": np.array([0, 1, -100, 2])})
    assert words == (2, 3, 0)
    assert found.observe(answer(["O", "O"]), {"labels": [None, "O"]})[0] == (1, 1, 0)


def test_words_that_were_not_read_are_wrong_unless_they_are_outside_and_a_table_says_how_many():
    found = scorer()
    given = answer(["B-PER", "O", "O"], [0.9, None, None])
    table = found.gather([found.observe(given, {"labels": ["B-PER", "B-LOC", "O"]})])
    assert found.scores(table)["recall"] == pytest.approx(1 / 2)
    assert found.details(table)[1].rows == ((3, 2),)
    assert found.wrongness(given, {"labels": ["B-PER", "B-LOC", "O"]}) == 1
    assert found.wrongness(given, {"labels": ["B-LOC", "O", "O"]}) == pytest.approx(0.9)
    assert found.wrongness(given, {"labels": ["B-PER", "O", "O"]}) == 0


def test_kinds_that_are_seen_later_leave_earlier_tables_as_they_are():
    found = scorer()
    first = found.gather([found.observe(answer(["B-PER"]), {"labels": ["B-PER"]})])
    assert found.scores(first)["f1"] == 1
    second = found.gather([found.observe(answer(["B-LOC"]), {"labels": ["B-ORG"]})])
    assert (first.shape, second.shape) == ((1, 9), (1, 21))
    assert found.scores(first)["macro_f1"] == 1
    assert found.scores(second)["macro_f1"] == 0
    assert found.scores(second[:0])["f1"] == 0
    assert scorer().gather([((1, 1, 0), {"PER": ((1, 1, 1), (0, 0, 1))})]).tolist() == [[1, 1, 0, 1, 1, 1, 0, 0, 1]]


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ("O O", LABELS, "The labels are 'O O', but every word has a label of its own"),
        (["O"], LABELS, "There are 1 labels for 2 words, but each word has one"),
        (["O", 7], LABELS, r"The label 7 is none of the model's: O, B-PER, .* --labels 7=O"),
        (["O", True], LABELS, "The label True is none of the model's"),
        (["O", 0.5], LABELS, r"The label 0\.5 is none of the model's"),
        (["O", "B-PER"], ("LABEL_0", "LABEL_1"), "The label 'O' is none of the model's: LABEL_0, LABEL_1"),
    ],
)
def test_a_reference_that_cannot_be_read_is_refused(labels, names, message):
    with pytest.raises(DataError, match=message):
        scorer(names=names).observe(answer([names[0]] * 2), {"labels": labels})


def test_a_model_is_measured_on_words_with_their_labels(tmp_path):
    ready = headway.pipeline("ner", save_model(tmp_path / "model", "bert"))  # whose labels are never those of IOB1
    texts = [["John", "Smith", "of", "New-York", "."], ["Zürich"] * 60, ["in", "York"]]
    words = ready(texts, is_split_into_words=True, each_word=True)
    labels = [[word["entity"] for word in found] for found in words]
    rows = [{"id": 3, "tokens": split, "ner_tags": tags} for split, tags in zip(texts, labels, strict=True)]
    rows[2] |= {"ner_tags": [LABELS.index(tag) for tag in labels[2]]}
    report = headway.evaluate(ready, rows, resamples=20)
    assert (report.rows, report.scores["accuracy"], report.scores["f1"]) == (3, 1.0, 1.0)
    assert report.details[1].rows == ((67, sum(word["score"] is None for word in words[1])),)
    rows[0] |= {"ner_tags": ["B-ORG", "I-ORG", "O", "B-LOC", "O"]}
    report = headway.evaluate(ready, rows, worst=1, resamples=20)
    assert report.worst[0].row == 1
    assert report.scores["f1"] < 1


IOB1 = [["I-PER", "I-PER", "O", "I-LOC", "B-LOC"], ["O", "I-ORG"]]
BIO = [["B-PER", "I-PER", "O", "B-LOC", "B-LOC"], ["O", "B-ORG"]]


def test_references_in_iob1_are_measured_as_the_model_writes():
    found = scorer().reading(IOB1)
    assert found.begin_references
    table = found.gather([found.observe(answer(given), {"labels": right}) for given, right in zip(BIO, IOB1, strict=True)])
    scores = found.scores(table)
    assert (scores["f1"], scores["strict_f1"], scores["accuracy"]) == (1, 1, 1)


@pytest.mark.parametrize(("scheme", "rows"), [("BIO", BIO), ("IOB1", IOB1)])
def test_references_in_the_models_own_scheme_stay_as_they_are(scheme, rows):
    assert not scorer(scheme).reading(rows).begin_references


def test_words_that_do_not_count_neither_begin_nor_end_an_entity():
    found = scorer().reading([["I-PER", -100, "I-PER"]])
    _, kinds = found.observe(answer(["B-PER", "O", "I-PER"]), {"labels": ["I-PER", -100, "I-PER"]})
    assert kinds["PER"] == ((1, 1, 1), (1, 1, 1))
