"""What InferenceClient sends, in both of its generations, and that the answers are those of ``pipeline()``."""

import json

import pytest

from headway.serving.dialects.hugging_face import hub_major
from headway.tasks import task_names
from serving.dialects.in_process import get, post, refused, send

TEXT = "the movie was great fun"
OLD, NEW = "unknown/None; hf_hub/0.36.2; python/3.11.7; torch/2.13.0+cpu", "unknown/None; hf_hub/2.4.0; python/3.11.7"
QUESTION = {"question": "was it fun ?", "context": "we saw a movie , it was great fun ! the dog was not ."}
SIMILAR = {"source_sentence": TEXT, "sentences": ["boring", "a great film !"]}
each_client = pytest.mark.parametrize("client", [pytest.param(OLD, id="0.36"), pytest.param(NEW, id="2.4")])


def ask(service, path, body, client=NEW):
    return post(service, path, body, user_agent=client)


@each_client
@pytest.mark.parametrize("parameters", [{}, {"top_k": 2, "function_to_apply": "sigmoid"}, {"top_k": 1}], ids=str)
def test_labels_of_a_text_are_a_list_within_a_list(service, pipe, client, parameters):
    found = ask(service, "/models/mood", {"inputs": TEXT, "parameters": parameters}, client)
    assert found == [pipe("mood")(TEXT, **{"top_k": None, **parameters})]


def test_labels_of_several_texts_are_a_list_for_each(service, pipe):
    pair = {"text": TEXT, "text_pair": "boring"}
    found = ask(service, "/models/mood", {"inputs": [TEXT, pair, "boring"], "parameters": {}})
    assert found == pipe("mood")([TEXT, pair, "boring"], top_k=None)
    assert ask(service, "/models/mood", {"inputs": pair, "parameters": {}}) == [pipe("mood")(pair, top_k=None)]


@each_client
@pytest.mark.parametrize(
    "parameters",
    [
        {"aggregation_strategy": "simple", "ignore_labels": ["LABEL_0"], "stride": 3},
        {"aggregation_strategy": "first"},
        {"aggregation_strategy": "none"},
    ],
    ids=str,
)
def test_entities_are_flat(service, pipe, client, parameters):
    found = ask(service, "/models/tagger", {"inputs": TEXT, "parameters": parameters}, client)
    assert found == pipe("tagger")(TEXT, **parameters)
    assert {"entity" if parameters["aggregation_strategy"] == "none" else "entity_group", "score", "word"} <= set(found[0])


def test_entities_are_whole_ones_unless_told_otherwise(service, pipe):
    assert ask(service, "/models/tagger", {"inputs": TEXT, "parameters": {}}) == pipe("tagger")(
        TEXT, aggregation_strategy="simple"
    )


@each_client
def test_one_answer_is_an_object_and_several_a_list(service, pipe, client):
    parameters = {
        "align_to_words": True,
        "doc_stride": 3,
        "handle_impossible_answer": False,
        "max_answer_len": 5,
        "max_question_len": 6,
        "max_seq_len": 17,
        "top_k": 3,
    }
    several = ask(service, "/models/reader", {"inputs": QUESTION, "parameters": parameters}, client)
    assert several == pipe("reader")(QUESTION, **parameters)
    assert len(several) == 3
    one = ask(service, "/models/reader", {"inputs": QUESTION, "parameters": {}}, client)
    assert one == pipe("reader")(QUESTION)
    assert set(one) == {"answer", "score", "start", "end"}


@each_client
def test_masks_are_filled(service, pipe, client):
    parameters = {"targets": ["movie", "dog"], "top_k": 2}
    body = {"inputs": "the [MASK] was great", "parameters": parameters}
    assert ask(service, "/models/filler", body, client) == pipe("filler")("the [MASK] was great", **parameters)
    two = ask(service, "/models/filler", {"inputs": "the [MASK] was [MASK]", "parameters": {}}, client)
    assert two == pipe("filler")("the [MASK] was [MASK]")
    assert [len(fillings) for fillings in two] == [5, 5]


LABELS = {"candidate_labels": ["fun", "dog", "not very good"], "multi_label": True, "hypothesis_template": "this was {} !"}


def test_zero_shot_labels_have_the_form_that_the_client_reads(service, pipe):
    body = {"inputs": TEXT, "parameters": LABELS}
    expected = pipe("judge")(TEXT, **LABELS)
    listed = [{"label": label, "score": score} for label, score in zip(expected["labels"], expected["scores"], strict=True)]
    assert ask(service, "/models/judge", body, OLD) == expected
    assert ask(service, "/models/judge", body, NEW) == listed
    assert ask(service, "/models/judge", body, "curl/8.4.0") == listed
    assert ask(service, "/models/judge", {**body, "inputs": [TEXT, TEXT]}, NEW) == [listed, listed]


@pytest.mark.parametrize(
    ("said", "major"), [(OLD, 0), (NEW, 2), ("x/1; hf_hub/1.29.0.dev0", 1), ("python-requests/2.34", None), ("", None)]
)
def test_the_version_of_the_client_is_read(said, major):
    assert hub_major(said) == major


def test_features_are_asked_for_beside_the_inputs(service, pipe):
    path = "/models/org/encoder/pipeline/feature-extraction"
    embed = pipe("org/encoder")
    body = {"inputs": TEXT, "normalize": True, "truncate": True, "dimensions": 5}
    assert ask(service, path, body) == embed(TEXT, normalize=True, truncate_dim=5)
    assert ask(service, path, {"inputs": [TEXT, "boring"]}) == embed([TEXT, "boring"])
    assert ask(service, "/models/org/encoder", {"inputs": [TEXT, "boring"]}) == embed([TEXT, "boring"])


def test_features_of_a_model_that_is_none_of_sentences_are_those_of_its_tokens(serving, models, pipe):
    service = serving("org/encoder")
    service.by_name = {"plain": type(models["mood"])("plain", models["org/encoder"].folder, ("feature-extraction",))}
    tokens = pipe("org/encoder", "feature-extraction")
    assert ask(service, "/pipeline/feature-extraction/plain", {"inputs": TEXT}) == tokens(TEXT)
    normal = ask(service, "/pipeline/feature-extraction/plain", {"inputs": TEXT, "normalize": True})
    assert normal == tokens(TEXT, pooling="auto", normalize=True)


@each_client
def test_sentences_are_compared(service, pipe, client):
    path = "/models/org/encoder/pipeline/sentence-similarity"
    assert ask(service, path, {"inputs": SIMILAR, "parameters": {}}, client) == pipe("org/encoder", "sentence-similarity")(
        SIMILAR
    )


INPUTS = {
    "text-classification": ("mood", TEXT, {"top_k": None}),
    "token-classification": ("tagger", TEXT, {"aggregation_strategy": "max"}),
    "question-answering": ("reader", QUESTION, {"top_k": 2}),
    "fill-mask": ("filler", "the [MASK] was great", {"top_k": 3}),
    "zero-shot-classification": ("judge", TEXT, {"candidate_labels": ["fun", "dog"]}),
    "feature-extraction": ("org/encoder", TEXT, {"pooling": "cls"}),
    "sentence-embeddings": ("org/encoder", TEXT, {"truncate_dim": 3}),
    "sentence-similarity": ("org/encoder", SIMILAR, {"similarity": "dot"}),
    "text-ranking": ("ranker", {"query": TEXT, "documents": ["boring", "a film"]}, {"return_documents": True}),
    "multiple-choice": ("chooser", {"prompt": TEXT, "choices": ["a dog", "boring", "we saw it"]}, {"top_k": None}),
    "next-sentence-prediction": ("follower", {"text": TEXT, "next_sentence": "boring"}, {"top_k": None}),
}


def test_every_task_is_tried():
    assert sorted(INPUTS) == task_names()


@pytest.mark.parametrize("task", INPUTS)
def test_every_task_is_asked_for_by_its_name_and_answers_as_a_pipeline(service, pipe, task):
    model, inputs, options = INPUTS[task]
    found = ask(service, f"/pipeline/{task}/{model}", {"inputs": inputs, "parameters": options}, OLD)
    if task == "feature-extraction":  # a model of sentences answers as one
        expected = pipe(model, "sentence-embeddings")(inputs, **options)
    else:
        expected = pipe(model, task)(inputs, **options)
    assert found == ([expected] if task == "text-classification" else expected)


@pytest.mark.parametrize("task", INPUTS)
def test_the_native_route_is_the_pipeline(service, pipe, task):
    model, inputs, options = INPUTS[task]
    for asked in (options, {} if task != "zero-shot-classification" else options):
        found = post(service, f"/tasks/{task}", {"inputs": inputs, "options": asked, "model": model})
        assert found == pipe(model, task)(inputs, **asked)
        several = post(service, f"/tasks/{task}", {"inputs": [inputs, inputs], "options": asked, "model": model})
        assert several == pipe(model, task)([inputs, inputs], **asked)
    assert post(service, f"/tasks/{task}", {"inputs": [], "options": options, "model": model}) == []


def test_the_root_finds_the_model_by_what_is_asked(service, pipe):
    root = {
        "mood": {"inputs": TEXT, "parameters": {}},
        "tagger": {"inputs": TEXT, "parameters": {"aggregation_strategy": "simple"}},
        "reader": {"inputs": QUESTION, "parameters": {}},
        "filler": {"inputs": "the [MASK] was great", "parameters": {"targets": ["movie"]}},
        "judge": {"inputs": TEXT, "parameters": {"candidate_labels": ["fun"]}},
        "ranker": {"inputs": {"query": TEXT, "texts": ["boring"]}, "parameters": {}},
        "org/encoder": {"inputs": SIMILAR, "parameters": {}},
        "chooser": {"inputs": {"prompt": TEXT, "choices": ["a dog", "boring"]}, "parameters": {}},
        "follower": {"inputs": [{"text": TEXT, "next_sentence": "boring"}], "parameters": {}},
    }
    for name, body in root.items():
        for path in ("/", "/invocations"):
            ask(service, path, body)
            assert service.asked[-1].model == name


JAVASCRIPT, OTHER = "@huggingface/inference/4.13.30", "curl/8.4.0"


def test_at_the_root_parameters_or_the_client_tell_the_two_dialects_of_a_classifier_apart(serving, pipe):
    service, labels = serving("mood"), pipe("mood")(TEXT, top_k=None)
    assert ask(service, "/", {"inputs": TEXT, "parameters": {}}, OTHER) == [labels]
    assert ask(service, "/", {"inputs": TEXT}, OTHER) == labels
    for client in (OLD, NEW, JAVASCRIPT):  # JavaScript's leaves out parameters where there are none
        assert ask(service, "/", {"inputs": TEXT}, client) == [labels]
    assert ask(service, "/predict", {"inputs": TEXT}, NEW) == labels


def test_at_the_root_a_model_that_is_neither_classifier_nor_encoder_answers_without_parameters_too(serving, pipe):
    assert ask(serving("reader"), "/", {"inputs": QUESTION}) == pipe("reader")(QUESTION)
    assert ask(serving("tagger"), "/", {"inputs": TEXT}) == pipe("tagger")(TEXT, aggregation_strategy="simple")


def test_health_is_a_status(service):
    assert send(service, "GET", "/models/org/encoder/health").status == 200
    assert send(service, "GET", "/models/nobody/health").status == 404
    service.ready = False
    assert send(service, "GET", "/models/mood/health").status == 503


def test_info_of_a_model_is_that_of_text_embeddings_inference(service):
    assert get(service, "/models/org/encoder/info")["model_id"] == "org/encoder"


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/models/nobody", {"inputs": TEXT, "parameters": {}}, 404, "There is no model 'nobody' here"),
        ("/models/mood/pipeline/fill-mask", {"inputs": TEXT}, 400, "No model does fill-mask here"),
        ("/models/mood", {"inputs": TEXT, "parameters": {"colour": 3}}, 400, "text-classification has no option 'colour'"),
        ("/models/mood", {"inputs": TEXT, "parameters": {"top_k": "two"}}, 400, "top_k is a text of 3 characters, but text-"),
        ("/models/mood", {"inputs": TEXT, "parameters": {"return_tensors": "pt"}}, 400, "an answer over HTTP is JSON"),
        ("/models/mood", {"inputs": TEXT, "parameters": []}, 400, "parameters is a list, where a JSON object belongs"),
        ("/models/mood", {"inputs": [TEXT, 3]}, 400, "Input 1: An input is int 3"),
        ("/models/mood", {"input": TEXT}, 400, "The body has no 'inputs', but it has to; it holds 'input'"),
        ("/models/mood", b"{", 400, "The body is not JSON"),
        ("/models/reader", {"inputs": {"question": "why ?"}, "parameters": {}}, 400, "The inputs have|An input has the keys"),
        ("/pipeline/no-task/mood", {"inputs": TEXT}, 400, "There is no task 'no-task'"),
    ],
)
def test_mistakes_are_told_in_the_words_that_the_client_shows(service, path, body, status, said):
    found = refused(service, path, body)
    assert found[0] == status
    assert any(words in found[1]["error"] for words in said.split("|"))


def test_a_body_is_bytes_of_json_whatever_its_header_says(service):
    found = send(service, "POST", "/models/mood", json.dumps({"inputs": TEXT}).encode(), headers={"content-type": "text/plain"})
    assert found.status == 200
    assert found.headers["x-compute-characters"] == "23"
    assert found.headers["x-compute-tokens"] == "7"
