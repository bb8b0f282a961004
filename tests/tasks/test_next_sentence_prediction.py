import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import pipeline
from headway.core.batching import TokenSequence
from headway.errors import InputError, TaskError, WeightError
from headway.tasks import Encoded, task
from headway.tasks.next_sentence_prediction import NAMES, read_call, read_two


@pytest.fixture(scope="module")
def ready(model_folder, _cache):
    return pipeline("next-sentence-prediction", model_folder("next-sentence"))


def test_the_first_score_is_that_of_a_text_that_follows(ready):
    logits = {"logits": np.array([0, np.log(3)], np.float32)}
    encoded = Encoded((TokenSequence([1]),))
    prepared = task("next-sentence-prediction").prepare(ready.facts, task("next-sentence-prediction").choose({}))
    answer = prepared.decode([prepared.reduce(logits, encoded, part=0)], encoded)
    assert answer == [{"label": "NotNext", "score": pytest.approx(0.75)}]
    assert prepared.row(answer) == answer[0]
    assert [column.name for column in prepared.columns] == ["label", "score"]


def test_all_ways_to_ask_have_the_same_answer(ready):
    best = ready("the movie was fun", "we love it")
    assert set(best) == {"label", "score"}
    assert best["label"] in NAMES
    for asked in (
        ready(text="the movie was fun", next_sentence="we love it"),
        ready("the movie was fun", text_pair="we love it"),
        ready({"text": "the movie was fun", "text_pair": "we love it"}),
        ready({"text": "the movie was fun", "next_sentence": "we love it"}),
        ready([{"text": "the movie was fun", "next_sentence": "we love it"}])[0],
    ):
        assert asked == best
    both = ready("the movie was fun", "we love it", top_k=None)
    assert both[0] == best
    assert sum(one["score"] for one in both) == pytest.approx(1)
    assert {one["label"] for one in both} == set(NAMES)


def test_the_model_says_its_task(model_folder):
    assert pipeline(model=model_folder("next-sentence")).task == "next-sentence-prediction"


@pytest.mark.parametrize("said", ["BertForPreTraining", "BertForMaskedLM"])
def test_a_pre_trained_checkpoint_has_the_head_too(model_folder, said):
    """BERT's own checkpoints hold both heads, whichever they name; the other one's weights are left alone."""
    folder = model_folder("pretraining", seed=5)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": [said]}))
    found = pipeline("next-sentence-prediction", folder)("a film", "we saw it", top_k=None)
    assert {one["label"] for one in found} == set(NAMES)
    with pytest.raises(WeightError, match=r"cls\.seq_relationship|trained for another head"):
        pipeline("next-sentence-prediction", model_folder("masked-lm"))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            "good",
            r'An input is a str, where a text and the one that may follow it belong: {"text": …, "next_sentence": …}\. Give',
        ),
        (None, "An input is None, where a text and the one"),
        ({"text": "a"}, "An input has the keys 'text', where a text and the one"),
        ({}, "An input has the keys none, where"),
        ({"text": "a", "text_pair": "b", "label": 1}, "An input has the keys 'text', 'text_pair', 'label', where"),
        ({"text": "a", "next_sentence": 3}, "An input is int 3, where a text"),
        ({"text": None, "next_sentence": "b"}, "An input is None, where a text"),
    ],
    ids=str,
)
def test_what_is_no_pair_is_refused(item, message):
    with pytest.raises(InputError, match=message):
        read_two(item)


def test_a_call_that_gives_a_text_twice_is_refused():
    for arguments, named in [(("a", "b"), {"text": "c"}), (("a",), {"text": "b", "text_pair": "c"})]:
        with pytest.raises(TaskError, match=r"A call takes a text and the one that may follow it, pipe\(text, next_sentence\)"):
            read_call(arguments, named)
    with pytest.raises(TaskError, match="A call takes one argument"):
        read_call((), {"top_k": 1})


def test_tables_have_both_texts_under_the_usual_names():
    table = task("next-sentence-prediction").table
    assert table.find(["text", "next_sentence", "label"]) == {"text": "text", "text_pair": "next_sentence"}
    assert table.find(["premise", "hypothesis"]) == {"text": "premise", "text_pair": "hypothesis"}
    assert read_two(table.item({"text": "a", "text_pair": "b"})) == ("a", "b")


def test_answers_are_measured_against_numbers_and_names(ready):
    evaluation = task("next-sentence-prediction").evaluation
    scorer = evaluation.prepare(ready.facts, None)
    answer = [{"label": "NotNext", "score": 0.9}, {"label": "IsNext", "score": 0.1}]
    seen = [scorer.observe(answer, {"label": label}) for label in (1, "NotNext", "notnext", True, 0)]
    assert [row[0] for row in seen] == [1, 1, 1, 1, 0]
    assert scorer.scores(scorer.gather(seen))["accuracy"] == 0.8
    assert scorer.scores(scorer.gather(seen))["f1"] == 0  # that of IsNext, which was never answered
    assert evaluation.is_withheld({"label": -1}, ready.facts)


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "top_k": st.sampled_from([1, 2, 7, None]),
        "join": st.sampled_from(["mean", "max", "first"]),
        "overflow": st.sampled_from(["truncate", "window"]),
        "max_length": st.none() | st.integers(13, 60),
        "count_dropped": st.booleans(),
    },
)


@settings(max_examples=50)
@given(st.text(max_size=120), st.text(max_size=120), OPTIONS)
def test_any_two_texts_and_options_have_scores_in_range(ready, text, other, options):
    found = ready(text, other, **{"top_k": None, **options})
    assert 1 <= len(found) <= 2
    assert all(0 <= one["score"] <= 1 for one in found)
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
