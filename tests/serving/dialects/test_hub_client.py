"""huggingface_hub's own client, unchanged.

The full environment has 0.36, the light one the newest, and HEADWAY_TEST_HUB may name the interpreter of another environment.
It runs in a process of its own, since tests keep huggingface_hub offline.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from serving.dialects import hub_calls
from serving.dialects.hub_calls import LABELS, MASKED, OTHERS, QUESTION, TEMPLATE, TEXT
from serving.dialects.in_process import Loopback, PipelineService

INTERPRETERS = [sys.executable, *filter(None, [os.environ.get("HEADWAY_TEST_HUB")])]


@pytest.fixture(scope="module", params=INTERPRETERS)
def found(request, models):
    """What the client made of all answers."""
    online = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    with Loopback(PipelineService(list(models.values()))) as url:
        command = [request.param, str(Path(hub_calls.__file__)), url]
        done = subprocess.run(command, env=online, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_labels(found, pipe):
    mood = pipe("mood")
    assert found["labels"] == mood(TEXT, top_k=None)
    assert found["labels of a model"] == mood(TEXT, top_k=2)
    assert found["labels of a task"] == mood(TEXT, top_k=None, function_to_apply="sigmoid")


def test_entities(found, pipe):
    tagger = pipe("tagger")
    assert found["entities"] == tagger(TEXT, aggregation_strategy="simple")
    assert found["words"] == tagger(TEXT, aggregation_strategy="first", ignore_labels=["LABEL_0"])


def test_answers(found, pipe):
    reader = pipe("reader")
    assert found["answer"] == reader(QUESTION)
    assert found["answers"] == reader(QUESTION, top_k=3, max_answer_len=4, doc_stride=5)


def test_masks(found, pipe):
    assert found["masks"] == pipe("filler")(MASKED, top_k=3)


def test_labels_of_the_call(found, pipe):
    """The client of 0.36 reads one form and later ones another; both make the same of it."""
    expected = pipe("judge")(TEXT, candidate_labels=LABELS, multi_label=True, hypothesis_template=TEMPLATE)
    rows = zip(expected["labels"], expected["scores"], strict=True)
    assert found["zero-shot"] == [{"label": label, "score": score} for label, score in rows]


def test_vectors(found, pipe):
    embed = pipe("org/encoder")
    assert found["features"] == np.float32(embed(TEXT)).tolist()
    assert found["features of several"] == np.float32(embed([TEXT, "boring"], normalize=True)).tolist()
    compared = pipe("org/encoder", "sentence-similarity")({"source_sentence": TEXT, "sentences": OTHERS})
    assert found["similarities"] == compared


def test_health_and_info(found):
    assert (found["health"], found["health of nobody"], found["info"]) == (True, False, "mood")


def test_mistakes_are_shown_in_words(found):
    assert "404" in found["nobody"]["raised"]
    assert "There is no model 'nobody' here" in found["nobody"]["raised"]
    assert "aggregation_strategy is 'all', which is no choice of this task's" in found["no choice"]["raised"]
