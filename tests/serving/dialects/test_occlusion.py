"""How much each word adds to a score: what the pipeline says of the text with it and without it."""

from dataclasses import replace

import pytest

from headway.serving.dialects.occlusion import parts, without
from serving.dialects.in_process import post, refused

TEXT = "the movie was great , not boring"


def test_words_are_weighed_by_leaving_each_out(service, pipe):
    found = post(service, "/tasks/text-classification/words", {"inputs": TEXT, "model": "mood"})
    best = pipe("mood")(TEXT)[0]
    assert (found["label"], found["score"]) == (best["label"], pytest.approx(best["score"], rel=1e-5))
    words = TEXT.split()
    assert [TEXT[one["start"] : one["end"]] for one in found["words"]] == words
    for place, one in enumerate(found["words"]):
        left = pipe("mood")(" ".join(words[:place] + words[place + 1 :]), top_k=None)
        score = next(label["score"] for label in left if label["label"] == best["label"])
        assert one["weight"] == pytest.approx(found["score"] - score, abs=1e-5)


def test_any_label_can_be_asked_about_also_one_of_the_call(service):
    body = {"inputs": TEXT, "options": {"candidate_labels": ["fun", "dog"]}, "label": "dog"}
    found = post(service, "/tasks/zero-shot-classification/words", body)
    assert found["label"] == "dog"
    assert len(found["words"]) == 7
    status, said = refused(service, "/tasks/zero-shot-classification/words", {**body, "label": "cat"})
    assert status == 400
    assert said["error"].startswith("label is 'cat', which is none of the answer's: ")


def test_texts_are_asked_for_in_pieces_that_a_request_may_have(service):
    service.limits = replace(service.limits, max_client_batch_size=3)
    found = post(service, "/tasks/text-classification/words", {"inputs": TEXT, "model": "mood"})
    assert [len(ask.items) for ask in service.asked] == [3, 3, 2]
    assert len(found["words"]) == 7


def test_of_many_words_several_are_one_part():
    text = " ".join("abcdefghijk")
    assert parts(text, most=4) == [(0, 5), (6, 11), (12, 17), (18, 21)]
    assert parts(text, most=100)[-1] == (20, 21)
    assert parts("  ") == []


def test_a_part_goes_with_the_space_behind_it():
    assert [without("a bc  d", span) for span in parts("a bc  d")] == ["bc  d", "a d", "a bc  "]


@pytest.mark.parametrize(
    ("task", "body", "said"),
    [
        ("fill-mask", {"inputs": "[MASK]"}, "Words are weighed for text-classification and zero-shot-classification, not for"),
        ("text-classification", {"inputs": " "}, "inputs has no words, so none of them drove an answer"),
        ("text-classification", {"inputs": [TEXT]}, "inputs is a list, where a text belongs"),
    ],
)
def test_mistakes_are_refused(service, task, body, said):
    status, found = refused(service, f"/tasks/{task}/words", body)
    assert status == 400
    assert said in found["error"]
