"""Measures of entities against seqeval."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval import metrics as theirs
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, Tokens

from headway.tasks.entities import lenient_spans, strict_spans, tag
from headway.tasks.entity_scorer import EntityScorer

SCHEMES = {
    "BIO": (IOB2, ("O", "B-X", "I-X", "B-Y", "I-Y")),
    "IOB1": (IOB1, ("O", "B-X", "I-X", "B-Y", "I-Y")),
    "BIOES": (IOBES, ("O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in "XY"))),
}


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=300)
@given(data=st.data())
def test_entities_of_any_labels(scheme, data):
    their_scheme, names = SCHEMES[scheme]
    labels = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=9))
    tags = [tag(label, scheme) for label in labels]
    assert [(span.kind, span.start, span.end - 1) for span in lenient_spans(tags)] == get_entities(labels)
    assert strict_spans(tags, scheme) == [(found.tag, found.start, found.end) for found in Tokens(labels, their_scheme).entities]


@given(labels=st.lists(st.sampled_from(["O", "B-X", "I-X", "L-X", "U-X", "B-Y", "U-Y"]), min_size=1, max_size=9))
def test_strict_entities_of_bilou(labels):
    found = strict_spans([tag(label, "BIOES") for label in labels], "BIOES")
    assert found == [(entity.tag, entity.start, entity.end) for entity in Tokens(labels, BILOU).entities]


def drawn(names, *, seed, texts=23):
    """References and answers that agree in most words."""
    generator = np.random.default_rng(seed)
    references = [generator.choice(names, size=generator.integers(1, 13)).tolist() for _ in range(texts)]
    answers = [[label if generator.random() < 0.7 else generator.choice(names) for label in labels] for labels in references]
    return references, [list(map(str, labels)) for labels in answers]


def answer(labels):
    return [{"entity": label, "score": 0.75} for label in labels]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scheme", SCHEMES)
def test_scores(scheme, seed):
    their_scheme, names = SCHEMES[scheme]
    references, answers = drawn(names, seed=seed)
    scorer = EntityScorer(names, scheme)
    observed = [scorer.observe(answer(given), {"labels": right}) for given, right in zip(answers, references, strict=True)]
    found = scorer.scores(scorer.gather(observed))
    for prefix, strict in (("", {}), ("strict_", {"mode": "strict", "scheme": their_scheme})):
        for name in ("f1", "precision", "recall"):
            measure = getattr(theirs, f"{name}_score")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of kinds without entities
                expected = [measure(references, answers, average=average, **strict) for average in ("micro", "macro")]
            assert [found[f"{prefix}{name}"], found[f"{prefix}macro_{name}"]] == pytest.approx(expected, abs=1e-12)
    assert found["accuracy"] == pytest.approx(theirs.accuracy_score(references, answers))
    report = theirs.classification_report(references, answers, output_dict=True, zero_division=0)
    (table,) = scorer.details(scorer.gather(observed))
    for kind, precision, recall, f1, _, support, _ in table.rows:
        expected = [report[kind][name] for name in ("precision", "recall", "f1-score", "support")]
        assert [precision, recall, f1, support] == pytest.approx(expected)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_scores_of_some_of_the_texts_are_those_of_these_texts(scheme):
    names = SCHEMES[scheme][1]
    references, answers = drawn(names, seed=7)
    scorer = EntityScorer(names, scheme)
    pairs = list(zip(answers, references, strict=True))
    table = scorer.gather([scorer.observe(answer(given), {"labels": right}) for given, right in pairs])
    rows = [3, 3, 11, 0, 19]
    chosen = [pairs[row] for row in rows]
    expected = theirs.f1_score([right for _, right in chosen], [given for given, _ in chosen])
    assert scorer.scores(table[rows])["f1"] == pytest.approx(expected)
