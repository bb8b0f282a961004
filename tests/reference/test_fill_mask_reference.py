"""Fill-mask against transformers' pipeline: four families, every option, hard texts, real texts."""

import json
import logging

import pytest
import transformers

import headway
from reference.comparing import assert_same
from reference.hard_texts import HARD
from reference.pair_models import FAMILIES, LIMIT, make_folder, make_minilm

TEXTS = [
    "A film about two MASK and a cat.",
    "MASK",
    "Zürich, the MASK Café – £4.50!",
    "MASK dogs , MASK MASK the end",
    "aMASK bMASK",
]
INPUTS = [[0], 0, [1, 2, 0], 3, [3], [0, 3, 4]]
"""Numbers of texts; one alone is a text that stands by itself."""

OPTIONS = [
    {},
    {"top_k": 1},
    {"top_k": 17},
    {"top_k": None},
    {"targets": "the"},
    {"targets": ["the", "a", "the", "dog", "films"], "top_k": 4},
    {"tokenizer_kwargs": {"truncation": True}},
    {"tokenizer_kwargs": {"padding": "max_length", "max_length": 30, "truncation": True}, "top_k": 2},
]


def pipelines(folder, **options):
    ours = headway.pipeline("fill-mask", folder, precision="fp32", **options)
    return ours, transformers.pipeline("fill-mask", str(folder), framework="pt", device="cpu", **options)


@pytest.fixture(scope="module", params=FAMILIES)
def both(request, tmp_path_factory):
    """Our pipeline and theirs on one folder."""
    return pipelines(make_folder(tmp_path_factory.mktemp("masks"), request.param, head="MaskedLM"))


def with_masks(ours, texts):
    return [text.replace("MASK", ours.tokenizer.mask_token) for text in texts]


@pytest.mark.filterwarnings("ignore:The target .* is no single token")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_answers_are_those_of_transformers(both, options):
    ours, theirs = both
    texts = with_masks(ours, TEXTS)
    for chosen in INPUTS:
        inputs = texts[chosen] if isinstance(chosen, int) else [texts[place] for place in chosen]
        assert_same(ours(inputs, **options), theirs(inputs, **options))


@pytest.mark.filterwarnings("ignore:The target .* is no single token")
def test_options_of_the_pipeline_hold_for_every_call(both):
    ours, theirs = both
    options = {"targets": ["the", "a"], "top_k": 2}
    ours_set = headway.Pipeline(ours._task, ours.engine, ours.tokenizer, **options)
    theirs_set = type(theirs)(model=theirs.model, tokenizer=theirs.tokenizer, task="fill-mask", device="cpu", **options)
    for text in with_masks(ours, TEXTS):
        assert_same(ours_set(text), theirs_set(text))
        assert_same(ours_set(text, top_k=1), theirs_set(text, top_k=1))


def test_hard_texts_are_answered_as_by_transformers(both):
    ours, theirs = both
    mask = ours.tokenizer.mask_token
    texts = [f"{mask} {text}" for text in HARD if mask not in text]
    cut = {"truncation": True, "max_length": LIMIT}
    assert_same(ours(texts, top_k=3), theirs(texts, top_k=3, tokenizer_kwargs=cut))


def test_a_generator_is_answered_item_by_item(both):
    ours, theirs = both
    texts = with_masks(ours, TEXTS)
    assert_same(list(ours(text for text in texts)), list(theirs(text for text in texts)))


def test_a_mask_of_a_long_text_is_answered_as_its_window_alone(both):
    """transformers reads the tokens of the window that answers."""
    import torch

    ours, theirs = both
    (long,) = with_masks(ours, ["the dogs of the old town " * 30 + "MASK"])
    prepared = ours._task.prepare(ours.facts, ours.choose(overflow="window"))
    (sequence,) = prepared.encode([long])[0].sequences
    ids = torch.tensor([list(sequence.ids)])
    shares = theirs.model(input_ids=ids).logits[0, ids[0] == ours.tokenizer.mask_token_id].softmax(-1)[0]
    found = ours(long, overflow="window", top_k=3)
    assert [one["score"] for one in found] == pytest.approx(shares.topk(3).values.tolist(), abs=1e-4)
    assert [one["token"] for one in found] == shares.topk(3).indices.tolist()
    assert len(found[0]["sequence"]) > 300  # all of it, though the model read 41 tokens


def real_texts(data_folder):
    """Three hundred sentences, each with a word of its middle hidden."""
    lines = (data_folder / "glue" / "sst2" / "validation.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines[:300]:
        row = json.loads(line)
        words = (row.get("sentence") or row["text"]).split()
        yield " ".join([*words[: len(words) // 2], "[MASK]", *words[len(words) // 2 + 1 :]])


@pytest.mark.data
def test_real_texts_are_answered_as_by_transformers(data_folder, minilm_folder, tmp_path, caplog):
    with caplog.at_level(logging.ERROR, "transformers"):
        ours, theirs = pipelines(make_minilm(tmp_path, minilm_folder, head="MaskedLM"))
    texts = list(real_texts(data_folder))
    assert len(texts) == 300
    assert_same(ours(texts), theirs(texts, batch_size=8))
