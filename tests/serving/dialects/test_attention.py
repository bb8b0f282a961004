"""Where a model looks: by words as by tokens, for one head as for the mean of all."""

import numpy as np
import pytest

from headway.graph import AttentionGraph
from serving.dialects.in_process import post, refused

TEXT = "the movie was great , notfun"
READ = {"question": "was it fun ?", "context": "we saw a movie , it was great fun !"}


def looked(service, task, inputs, **more):
    return post(service, f"/tasks/{task}/attention", {"inputs": inputs, **more})


def weights(pipe, tokens, layer):
    """(heads, queries, tokens)."""
    return AttentionGraph(pipe.engine.model).weights(tokens, layer=layer)


def test_by_tokens_they_are_the_graphs_for_each_layer_and_head(service, pipe):
    tagger = pipe("tagger")
    (tokens,) = tagger.tokenizer.encode_sequences([TEXT])
    first = looked(service, "token-classification", TEXT, by="token", layer=0, head=2)
    assert [one["text"] for one in first["words"]] == tagger.tokenizer.convert_ids_to_tokens(list(tokens.ids))
    assert np.allclose(first["weights"], weights(tagger, tokens, 0)[2], atol=1e-5)
    last = looked(service, "token-classification", TEXT, by="token")
    assert (last["layer"], last["layers"], last["head"]) == (first["layers"] - 1, first["layers"], None)
    assert np.allclose(last["weights"], weights(tagger, tokens, last["layer"]).mean(0), atol=1e-5)
    assert len(weights(tagger, tokens, 0)) == first["heads"]


def test_by_words_what_tokens_get_is_added_up_and_what_they_give_averaged(service, pipe):
    found = looked(service, "token-classification", TEXT, layer=0, head=1)
    (tokens,) = pipe("tagger").tokenizer.encode_sequences([TEXT])
    expected = weights(pipe("tagger"), tokens, 0)[1]
    words = [one["text"] for one in found["words"]]
    assert words == ["[CLS]", "the", "movie", "was", "great", ",", "notfun", "[SEP]"]
    assert len(tokens) == 11  # not ##f ##u ##n are one word
    assert [TEXT[one["start"] : one["end"]] for one in found["words"] if "of" in one] == words[1:-1]
    assert found["weights"][6][6] == pytest.approx(expected[6:10, 6:10].sum() / 4, abs=1e-5)
    assert found["weights"][1][6] == pytest.approx(expected[1, 6:10].sum(), abs=1e-5)
    assert found["weights"][6][1] == pytest.approx(expected[6:10, 1].mean(), abs=1e-5)
    assert np.allclose(np.sum(found["weights"], axis=1), 1, atol=1e-3)


def test_of_the_last_layer_of_a_classifier_the_first_token_alone_looks(service):
    found = looked(service, "text-classification", TEXT, model="mood")
    assert np.shape(found["weights"]) == (1, 8)
    assert np.shape(looked(service, "text-classification", TEXT, model="mood", layer=0)["weights"]) == (8, 8)


def test_of_two_texts_each_word_says_which_it_is_of(service):
    found = looked(service, "question-answering", READ)
    for one in found["words"]:
        if "of" in one:
            assert list(READ.values())[one["of"]][one["start"] : one["end"]] == one["text"]
    assert [one.get("of") for one in found["words"]] == [None, *[0] * 4, None, *[1] * 10, None]
    pair = looked(service, "text-classification", {"text": "a dog", "text_pair": "a cat"}, model="mood")
    assert [one["text"] for one in pair["words"]] == ["[CLS]", "a", "dog", "[SEP]", "a", "cat", "[SEP]"]


def test_a_text_is_read_with_the_hypothesis_of_a_label(service, pipe):
    options = {"candidate_labels": ["fun", "dog"], "hypothesis_template": "it was {} !"}
    found = looked(service, "zero-shot-classification", "we saw a movie", options=options, label="dog")
    assert [one["text"] for one in found["words"]][-5:] == ["it", "was", "dog", "!", "[SEP]"]


def test_what_is_cut_is_not_shown_and_what_is_read_otherwise_stands_for_itself(service):
    found = looked(service, "text-classification", TEXT, model="mood", options={"max_length": 5})
    assert [one["text"] for one in found["words"]] == ["[CLS]", "the", "movie", "was", "[SEP]"]


@pytest.mark.parametrize("task", ["fill-mask", "feature-extraction", "sentence-embeddings"])
def test_tasks_of_one_text(service, task):
    found = looked(service, task, "a [MASK] dog", layer=0)
    assert [one["text"] for one in found["words"]] == ["[CLS]", "a", "[MASK]", "dog", "[SEP]"]
    assert np.shape(found["weights"]) == (5, 5)


def test_a_pair_of_sentences(service):
    found = looked(service, "next-sentence-prediction", {"text": "a dog", "next_sentence": "it was fun"})
    assert [one.get("of") for one in found["words"]] == [None, 0, 0, None, 1, 1, 1, None]


@pytest.mark.parametrize(
    ("task", "body", "said"),
    [
        ("text-ranking", {"inputs": "a"}, "Attention is shown for text-classification, zero-shot-"),
        ("text-classification", {"inputs": TEXT, "layer": 90}, "layer is 90, but the model's layers are 0 to "),
        ("text-classification", {"inputs": TEXT, "head": 90}, "head is 90, but the layer's heads are 0 to "),
        ("text-classification", {"inputs": TEXT, "head": -1}, "head is a number (-1), where a whole number from 0 on belongs"),
        ("text-classification", {"inputs": TEXT, "by": "letter"}, "where one of word, token belongs"),
        ("text-classification", {"inputs": [TEXT]}, "inputs is a list, where a JSON object belongs"),
        ("question-answering", {"inputs": "a ?"}, "inputs is a text of 3 characters, where a JSON object belongs"),
        ("zero-shot-classification", {"inputs": "a"}, "The body has no 'label'"),
        (
            "token-classification",
            {"inputs": "a " * 50, "options": {"overflow": "window", "stride": 0}},
            "sequences, but attention is shown within one. Send a shorter text.",
        ),
    ],
)
def test_mistakes_are_refused(service, task, body, said):
    status, found = refused(service, f"/tasks/{task}/attention", body)
    assert status == 400
    assert said in found["error"]
