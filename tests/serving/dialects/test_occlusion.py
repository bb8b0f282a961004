"""How much each word adds to a score: what the pipeline says of the text with it and without it."""

from dataclasses import replace

import pytest

from headway.serving.dialects.occlusion import parts, without
from serving.dialects.in_process import post, refused

TEXT = "the movie was great , not boring"
READ = {"question": "was it fun ?", "context": "we saw a movie , it was great fun !"}


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


def test_of_an_entity_the_words_beside_it_are_weighed(service, pipe):
    found = post(service, "/tasks/token-classification/words", {"inputs": TEXT, "model": "tagger"})
    tag = pipe("tagger")
    best = max(tag(TEXT, aggregation_strategy="simple"), key=lambda one: one["score"])
    assert (found["label"], found["start"], found["end"]) == (best["entity_group"], best["start"], best["end"])
    assert found["score"] == pytest.approx(best["score"], rel=1e-5)
    assert found["words"]
    for one in found["words"]:
        assert one["end"] <= best["start"] or one["start"] >= best["end"]
        shorter = without(TEXT, (one["start"], one["end"]))
        shift = len(TEXT) - len(shorter) if one["start"] < best["start"] else 0
        there = [
            other["score"]
            for other in tag(shorter, aggregation_strategy="simple")
            if other["entity_group"] == best["entity_group"]
            and other["start"] < best["end"] - shift
            and other["end"] > best["start"] - shift
        ]
        assert one["weight"] == pytest.approx(best["score"] - max(there, default=0), abs=1e-5)


def test_of_an_answer_the_words_of_its_context_are_weighed(service, pipe):
    found = post(service, "/tasks/question-answering/words", {"inputs": READ})
    context, best = READ["context"], pipe("reader")(READ)
    assert (found["label"], found["start"], found["end"]) == (best["answer"], best["start"], best["end"])
    assert found["score"] == pytest.approx(best["score"], rel=1e-5)
    for one in found["words"]:
        assert one["end"] <= best["start"] or one["start"] >= best["end"]
        shorter = without(context, (one["start"], one["end"]))
        place = best["start"] - (len(context) - len(shorter) if one["start"] < best["start"] else 0)
        answers = pipe("reader")({**READ, "context": shorter}, top_k=20)
        same = [other["score"] for other in answers if (other["start"], other["answer"]) == (place, best["answer"])]
        assert one["weight"] == pytest.approx(best["score"] - sum(same), abs=1e-5)


def test_texts_are_asked_for_in_pieces_that_a_request_may_have(service):
    service.limits = replace(service.limits, max_client_batch_size=3)
    found = post(service, "/tasks/text-classification/words", {"inputs": TEXT, "model": "mood"})
    assert [len(ask.items) for ask in service.asked] == [1, 3, 3, 1]
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
        ("fill-mask", {"inputs": "[MASK]"}, "Words are weighed for text-classification, zero-shot-classification, token-"),
        ("text-classification", {"inputs": " "}, "text has no words, so none of them drove an answer"),
        ("question-answering", {"inputs": {"question": "a ?", "context": ""}}, "context has no words, so none of them"),
        ("question-answering", {"inputs": "a ?"}, "inputs is a text of 3 characters, where a JSON object belongs"),
        ("question-answering", {"inputs": READ, "label": "dog"}, "There is no such answer in the context"),
        ("token-classification", {"inputs": TEXT, "label": "PER"}, "'PER' was found in this text, but"),
        ("text-classification", {"inputs": [TEXT]}, "inputs is a list, where a text belongs"),
    ],
)
def test_mistakes_are_refused(service, task, body, said):
    status, found = refused(service, f"/tasks/{task}/words", body)
    assert status == 400
    assert said in found["error"]
