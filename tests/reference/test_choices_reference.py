"""Multiple choice and next-sentence prediction against the models of transformers, which has no pipelines for them."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers

import headway
from conftest import write_tokenizer
from headway.graph import export_model
from reference.family_cases import CASES, transformers_model

PROMPT = "we saw the film and"
QUESTIONS = [
    {"prompt": PROMPT, "choices": ["it was great fun", "two cats", "the plot was boring , very boring"]},
    {"prompt": "a dog or a cat ?", "choices": ["a dog", "he", "not a dog , not a cat ; a movie", "we love it", ""]},
    {"prompt": "", "choices": ["one", "two"]},
    {"prompt": "this is a very boring film , " * 9, "choices": ["good " * 40, "bad"]},  # both are cut, the longer one first
]
SWAG = {"sent1": PROMPT, "sent2": "it was", "ending0": "fun", "ending1": "very boring", "ending2": "a dog", "ending3": "not two"}
RACE = {"article": PROMPT + " we hate it", "question": "it was _ .", "options": ["fun", "boring"], "answer": "B"}
PAIRS = [
    ("the movie was great fun", "we love it"),
    ("the movie was great fun", "a dog"),
    ("", ""),
    ("boring film " * 30, "bad " * 9),
]
ENGINES = ["onnx", "torch"]


def case_of(name):
    """The family's case; where it knows one type of token, with a second one for the second texts of BERT's tokenizer."""
    case = next(case for case in CASES if case.name == name)
    return replace(case, settings={**case.settings, "type_vocab_size": 2}) if case.settings.get("type_vocab_size") == 1 else case


@pytest.fixture(scope="module", params=["bert", "roberta", "deberta-v2", "distilbert", "electra", "modernbert"])
def chooser(request, tmp_path_factory):
    """A family's model for multiple choice with its folder; the tokenizer is BERT's for all."""
    case = case_of(request.param)
    folder = tmp_path_factory.mktemp("chooser")
    theirs = transformers_model(case, "multiple-choice")
    theirs.save_pretrained(folder)
    write_tokenizer(folder)
    return case, theirs, folder


def shares(model, folder, prompt, endings, *, padding=0, types=True):
    """What transformers' examples compute: all choices in one padded batch, the longer of the two texts cut first."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found = tokenizer([prompt] * len(endings), endings, truncation=True, padding=True, max_length=41, return_tensors="pt")
    found["input_ids"] = found["input_ids"].masked_fill(found["attention_mask"] == 0, padding)
    inputs = {name: values[None] for name, values in found.items() if types or name != "token_type_ids"}
    with torch.inference_mode():
        return model(**inputs).logits.softmax(-1)[0].numpy()


def in_order(answer):
    """Scores by the place of their choice."""
    return [one["score"] for one in sorted(answer, key=lambda one: one["index"])]


@pytest.mark.parametrize("engine", ENGINES)
def test_four_families_and_two_more_choose_alike(chooser, engine):
    case, theirs, folder = chooser
    types = case.settings.get("type_vocab_size", 0) > 1
    ready = headway.pipeline("multiple-choice", folder, engine=engine, precision="fp32", max_length=41, top_k=None)
    for question, answer in zip(QUESTIONS, ready(QUESTIONS), strict=True):
        expected = shares(theirs, folder, question["prompt"], question["choices"], padding=case.padding_id, types=types)
        np.testing.assert_allclose(in_order(answer), expected, atol=1e-4)


def test_data_sets_are_read_as_transformers_examples_read_them(chooser):
    case, theirs, folder = chooser
    types = case.settings.get("type_vocab_size", 0) > 1
    ready = headway.pipeline("multiple-choice", folder, precision="fp32", max_length=41, top_k=None)
    swag = shares(
        theirs,
        folder,
        PROMPT,
        ["it was fun", "it was very boring", "it was a dog", "it was not two"],
        padding=case.padding_id,
        types=types,
    )
    race = shares(theirs, folder, RACE["article"], ["it was fun .", "it was boring ."], padding=case.padding_id, types=types)
    np.testing.assert_allclose(in_order(ready(SWAG)), swag, atol=1e-4)
    np.testing.assert_allclose(in_order(ready(RACE)), race, atol=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("portable", [True, False])
def test_exported_models_choose_alike(tmp_path, precision, portable):
    """Portable graphs read (batch, choices, sequence); the pipeline gives them each choice as a question of its own."""
    transformers_model(case_of("bert"), "multiple-choice").save_pretrained(tmp_path / "model")
    write_tokenizer(tmp_path / "model")
    plain = headway.pipeline("multiple-choice", tmp_path / "model", engine="torch", top_k=None)
    export_model(tmp_path / "model", tmp_path / "out", precision=precision, portable=portable)
    found = headway.pipeline("multiple-choice", tmp_path / "out", top_k=None)
    assert found.engine.precision == precision
    for ours, expected in zip(found(QUESTIONS), plain(QUESTIONS), strict=True):
        np.testing.assert_allclose(in_order(ours), in_order(expected), atol=1e-4 if precision == "fp32" else 0.05)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_exported_models_go_on_alike(tmp_path, precision):
    transformers_model(case_of("bert"), "next-sentence").save_pretrained(tmp_path / "model")
    write_tokenizer(tmp_path / "model")
    plain = headway.pipeline("next-sentence-prediction", tmp_path / "model", engine="torch")
    export_model(tmp_path / "model", tmp_path / "out", precision=precision)
    found = headway.pipeline(model=tmp_path / "out")
    assert (found.task, found.engine.precision) == ("next-sentence-prediction", precision)
    for first, second in PAIRS:
        assert found(first, second)["score"] == pytest.approx(
            plain(first, second)["score"], abs=1e-4 if precision == "fp32" else 0.05
        )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("saved", ["next-sentence", "pretraining"])
def test_next_sentences_are_those_of_bert(tmp_path, engine, saved):
    theirs = transformers_model(case_of("bert"), saved)
    theirs.save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    ready = headway.pipeline("next-sentence-prediction", tmp_path, engine=engine, precision="fp32", top_k=None)
    answers = ready([{"text": first, "next_sentence": second} for first, second in PAIRS])
    for (first, second), answer in zip(PAIRS, answers, strict=True):
        inputs = tokenizer([first], [second], truncation=True, max_length=41, return_tensors="pt")  # alone it drops an empty text
        with torch.inference_mode():
            found = theirs(**inputs)
        expected = (found.logits if saved == "next-sentence" else found.seq_relationship_logits).softmax(-1)[0].tolist()
        assert {one["label"]: one["score"] for one in answer} == pytest.approx(
            {"IsNext": expected[0], "NotNext": expected[1]}, abs=1e-4
        )


@pytest.fixture(scope="module")
def sentences(data_folder):
    """Six hundred sentences of STS-B, those of a pair one after the other."""
    lines = (data_folder / "glue" / "stsb" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)[name] for line in lines[:300] for name in ("sentence1", "sentence2")]


@pytest.fixture
def with_head(minilm_folder, tmp_path):
    """``with_head("BertForMultipleChoice")``: the real all-MiniLM-L6-v2 under a new head."""

    def make(name):
        torch.manual_seed(7)
        theirs = getattr(transformers, name).from_pretrained(minilm_folder).eval()
        for weight in (weight for part, weight in theirs.named_parameters() if part.startswith(("cls.", "classifier."))):
            torch.nn.init.normal_(weight, 0, 0.5)
        theirs.save_pretrained(tmp_path)
        for path in minilm_folder.glob("*token*"):
            shutil.copy(path, tmp_path)
        shutil.copy(minilm_folder / "vocab.txt", tmp_path)
        return theirs, transformers.AutoTokenizer.from_pretrained(tmp_path), tmp_path

    return make


@pytest.mark.data
def test_choices_among_real_sentences(with_head, sentences):
    theirs, tokenizer, folder = with_head("BertForMultipleChoice")
    items = [{"prompt": sentences[place], "choices": sentences[place + 1 : place + 4]} for place in range(0, 480, 4)]
    expected = []
    for some in (items[start : start + 24] for start in range(0, len(items), 24)):
        prompts, choices = (
            [item["prompt"] for item in some for _ in range(3)],
            [text for item in some for text in item["choices"]],
        )
        inputs = tokenizer(prompts, choices, padding=True, return_tensors="pt")
        with torch.inference_mode():
            grouped = {name: values.view(len(some), 3, -1) for name, values in inputs.items()}
            expected += theirs(**grouped).logits.softmax(-1).tolist()
    found = headway.pipeline("multiple-choice", folder, precision="fp32", top_k=None)(items)
    np.testing.assert_allclose([in_order(answer) for answer in found], expected, atol=1e-4)
    assert len(found) == 120  # 360 pairs of texts


@pytest.mark.data
def test_choices_among_real_sentences_in_several_families(chooser, sentences):
    case, theirs, folder = chooser
    items = [{"prompt": text, "choices": sentences[place + 1 : place + 3]} for place, text in enumerate(sentences[:301])]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    prompts, choices = [item["prompt"] for item in items for _ in range(2)], [text for item in items for text in item["choices"]]
    inputs = tokenizer(prompts, choices, truncation=True, padding=True, max_length=41, return_tensors="pt")
    inputs["input_ids"] = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, case.padding_id)
    types = case.settings.get("type_vocab_size", 0) > 1
    grouped = {name: values.view(301, 2, -1) for name, values in inputs.items() if types or name != "token_type_ids"}
    with torch.inference_mode():
        expected = theirs(**grouped).logits.softmax(-1).tolist()
    found = headway.pipeline("multiple-choice", folder, precision="fp32", max_length=41, top_k=None)(items)
    np.testing.assert_allclose([in_order(answer) for answer in found], expected, atol=1e-4)


@pytest.mark.data
def test_what_follows_what_among_real_sentences(with_head, sentences):
    theirs, tokenizer, folder = with_head("BertForNextSentencePrediction")
    firsts, seconds = sentences[::2], sentences[1::2]
    expected = []
    for start in range(0, 300, 60):
        chosen = slice(start, start + 60)
        inputs = tokenizer(firsts[chosen], seconds[chosen], padding=True, return_tensors="pt")
        with torch.inference_mode():
            expected += theirs(**inputs).logits.softmax(-1).tolist()
    ready = headway.pipeline("next-sentence-prediction", folder, precision="fp32", top_k=None)
    found = ready([{"text": first, "text_pair": second} for first, second in zip(firsts, seconds, strict=True)])
    assert len(found) == 300
    scores = [{one["label"]: one["score"] for one in answer} for answer in found]
    np.testing.assert_allclose([[one["IsNext"], one["NotNext"]] for one in scores], expected, atol=1e-4)
