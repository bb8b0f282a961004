"""How mistakes of every kind of task stand on the screen."""

import pytest

from headway.cli._report import mistake
from headway.evaluation import Mistake

LABELS = [{"label": "POSITIVE", "score": 0.9871}, {"label": "NEGATIVE", "score": 0.0129}]
SPAN = [{"answer": "Denver Broncos", "score": 0.51, "start": 4}]
WORDS = [{"word": "Pete", "entity": "B-PER", "score": 0.9}, {"word": "Sampras", "entity": "O", "score": 0.4}]


@pytest.mark.parametrize(
    ("item", "reference", "answer", "lines"),
    [
        pytest.param(
            "a  long\nwait", {"label": "NEGATIVE"}, LABELS, ["NEGATIVE, answered POSITIVE (0.987)", "a long wait"], id="a label"
        ),
        pytest.param(
            {"text": "good", "text_pair": "bad"},
            {"label": 0},
            LABELS,
            ["0, answered POSITIVE (0.987)", "good", "bad"],
            id="a pair",
        ),
        pytest.param(
            "good", {"label": ["joy", "love"]}, LABELS, ["joy | love, answered POSITIVE (0.987)", "good"], id="several labels"
        ),
        pytest.param(
            {"question": "Who?", "context": "They won."},
            {"answers": {"text": ["They", "They", "them"], "answer_start": [0, 0, 5]}},
            SPAN,
            ["They | them, answered Denver Broncos (0.510)", "Who?", "They won."],
            id="a span",
        ),
        pytest.param("Who?", {"answers": []}, SPAN, ["nothing, answered Denver Broncos (0.510)", "Who?"], id="no answer"),
        pytest.param(
            ["Pete", "Sampras"],
            {"labels": ["B-PER", "I-PER"]},
            WORDS,
            ["Sampras is I-PER, answered O", "Pete Sampras"],
            id="words",
        ),
        pytest.param({"text": "a", "text_pair": "b"}, {"label": 4.5}, 0.97025, ["4.5, answered 0.970", "a", "b"], id="a number"),
        pytest.param("a lone \ud800", {"label": 1}, LABELS, ["1, answered POSITIVE (0.987)", "a lone ?"], id="half a pair"),
    ],
)
def test_a_mistake_is_what_would_have_been_right_the_answer_and_the_text(item, reference, answer, lines):
    first, *texts = mistake(Mistake(1234, item, reference, answer, 1.0))
    assert [first, *texts] == [f"row 1,234: {lines[0]}", *(f"    {line}" for line in lines[1:])]


def test_a_long_text_is_cut():
    _, text = mistake(Mistake(1, "word " * 100, {"label": 1}, LABELS, 1.0))
    assert text == f"    {('word ' * 100)[:299]}…"
