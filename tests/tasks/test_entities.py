"""Label schemes: what labels say, which may follow each other, and where entities stand."""

from itertools import product

import numpy as np
import pytest

from headway.tasks.entities import LabelSet, Span, Tag, best_labels, detected, is_iob1, lenient_spans, strict_spans, tag

BIO = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
BIOES = ("O", "B-X", "I-X", "E-X", "S-X", "B-Y", "E-Y")


@pytest.mark.parametrize(
    ("labels", "scheme"),
    [
        (BIO, "BIO"),
        (BIOES, "BIOES"),
        (("O", "B-PER", "I-PER", "L-PER", "U-PER"), "BIOES"),
        (("O", "I-PER", "I-LOC"), "IOB1"),
        (("O", "PER", "LOC"), "IO"),
        (("NOUN", "VERB"), "IO"),
        (("O", "E-MAIL", "S-BAHN"), "IO"),
        (("O", "B-PER", "I-PER", "OTHER"), "BIO"),
        (("LABEL_0", "LABEL_1"), "IO"),
        ((), "IO"),
    ],
)
def test_the_scheme_is_told_from_names(labels, scheme):
    assert detected(labels) == scheme


@pytest.mark.parametrize(
    ("label", "scheme", "expected"),
    [
        ("B-PER", "BIO", Tag("B", "PER")),
        ("I-work-of-art", "BIO", Tag("I", "work-of-art")),
        ("O", "BIO", Tag("", "O")),
        ("S-PER", "BIOES", Tag("S", "PER")),
        ("U-PER", "BIOES", Tag("S", "PER")),
        ("L-PER", "BIOES", Tag("E", "PER")),
        ("M-PER", "BIOES", Tag("I", "PER")),
        ("E-MAIL", "BIO", Tag("", "E-MAIL")),
        ("B-PER", "IO", Tag("", "B-PER")),
        ("B", "BIO", Tag("B", "_")),
        ("B-", "BIO", Tag("B", "_")),
        ("BAND", "BIO", Tag("", "BAND")),
        ("", "BIO", Tag("", "")),
    ],
)
def test_only_the_prefixes_of_the_scheme_are_prefixes(label, scheme, expected):
    assert tag(label, scheme) == expected


def spans(labels, scheme="BIO", *, strict=False):
    tags = [tag(label, scheme) for label in labels.split()]
    return strict_spans(tags, scheme) if strict else lenient_spans(tags)


def test_entities_are_found_whether_the_scheme_is_kept_or_not():
    assert spans("O I-PER I-PER B-PER I-LOC O") == [Span("PER", 1, 3), Span("PER", 3, 4), Span("LOC", 4, 5)]
    assert spans("B-X E-X I-X S-X S-X", "BIOES") == [Span("X", 0, 2), Span("X", 2, 3), Span("X", 3, 4), Span("X", 4, 5)]
    assert spans("PER PER O LOC PER", "IO") == [Span("PER", 0, 2), Span("LOC", 3, 4), Span("PER", 4, 5)]


def test_strictly_only_what_keeps_the_scheme_is_an_entity():
    assert spans("O I-PER I-PER B-PER I-LOC O", strict=True) == [Span("PER", 3, 4)]
    assert spans("I-PER B-PER B-LOC", "IOB1", strict=True) == [Span("PER", 0, 1)]  # B-LOC follows no LOC
    assert spans("B-X O B-X I-X E-X S-Y", "BIOES", strict=True) == [Span("X", 2, 5), Span("Y", 5, 6)]
    assert spans("PER PER O", "IO", strict=True) == [Span("PER", 0, 2)]


@pytest.mark.parametrize(
    ("scheme", "labels"), [("BIO", BIO), ("IOB1", BIO), ("BIOES", ("O", "B-X", "I-X", "E-X", "S-X")), ("IO", ("O", "X", "Y"))]
)
def test_the_best_path_is_the_best_of_all_that_keep_the_rules(scheme, labels):
    rules, generator = LabelSet(labels, scheme).rules, np.random.default_rng(3)
    for length in (1, 2, 3, 4):
        paths = [np.array(path) for path in product(range(len(labels)), repeat=length)]
        allowed = [path for path in paths if rules.keep(path)]
        assert len(allowed) < len(paths) or scheme == "IO"
        for _ in range(5):
            scores = generator.dirichlet(np.full(len(labels), 0.3), size=length).astype(np.float32)
            value = lambda path, scores=scores: sum(np.log(np.maximum(scores[range(len(path)), path], 1e-38)))  # noqa: E731
            best = max(allowed, key=value)
            assert value(best_labels(scores, rules)) == pytest.approx(value(best), rel=1e-5)
            assert rules.keep(best_labels(scores, rules))
            assert best_labels(scores, None).tolist() == scores.argmax(-1).tolist()


def test_a_path_that_keeps_the_scheme_is_read_the_same_leniently_and_strictly():
    labels = LabelSet(BIOES, "BIOES")
    for path in product(range(len(BIOES)), repeat=4):
        if labels.rules.keep(np.array(path)):
            tags = [labels.tags[place] for place in path]
            assert lenient_spans(tags) == strict_spans(tags, "BIOES")


def test_hand_made_paths():
    rules = LabelSet(BIO, "BIO").rules
    scores = np.array([[0.3, 0.25, 0.4, 0.03, 0.02], [0.05, 0.05, 0.8, 0.05, 0.05]])  # I-PER I-PER, which cannot begin a text
    assert best_labels(scores, rules).tolist() == [1, 2]
    assert best_labels(scores[:1], rules).tolist() == [0]
    assert best_labels(np.array([[0, 0, 1.0, 0, 0]]), rules).tolist() in ([0], [1], [3])  # zeros are no dead end
    assert not LabelSet(("I-X", "I-Y"), "BIO").rules.free.any()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["I-PER O I-LOC", "I-PER B-PER I-PER"], True),
        (["I-PER O", "B-PER I-PER"], False),  # B begins behind nothing
        (["B-PER I-PER O"], False),
        (["I-PER B-LOC"], False),  # B behind another kind
        (["O O", ""], False),
        (["I-PER I-LOC"], True),
    ],
)
def test_iob1_is_told_from_bio_by_where_b_and_i_stand(rows, expected):
    assert is_iob1(row.split() for row in rows) is expected
