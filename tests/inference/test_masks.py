"""Engines that score the vocabulary for masks alone: the same numbers from every file and engine; fill-mask asks for it."""

import shutil

import numpy as np
import pytest

from headway import pipeline
from headway.checkpoints import load_config
from headway.core.batching import TokenSequence
from headway.graph import export_model
from headway.inference import OnnxEngine, load_engine
from headway.inference.loading import build_cached

MASK = 4
SEQUENCES = [
    TokenSequence([2, 7, MASK, 31, 3]),
    TokenSequence([2, MASK, MASK, 3, 11, 9, MASK, 3], [0, 0, 0, 0, 1, 1, 1, 1]),
    TokenSequence([MASK]),
    TokenSequence([2, 5, 3]),
]
COUNTS = [1, 3, 1, 0]
TEXTS = ["the [MASK] was good", "[MASK] film , [MASK] [MASK]", "we saw this very boring movie and it was [MASK] !"] * 3


def check_same(narrow, whole):
    for sequence, ours, theirs in zip(SEQUENCES, narrow.run(SEQUENCES), whole.run(SEQUENCES), strict=True):
        assert list(ours) == ["masked_logits"]
        expected = theirs["logits"][np.asarray(sequence.ids) == MASK]
        np.testing.assert_allclose(ours["masked_logits"], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "how",
    [{}, {"precision": "int8"}, pytest.param({"engine": "torch"}, marks=pytest.mark.train)],
    ids=["fp32", "int8", "torch"],
)
def test_masks_have_the_scores_that_a_whole_run_gives_them(model_folder, cache, how):
    folder = model_folder("masked-lm")
    narrow, whole = (load_engine(folder, head="masked-lm", only_token=token, **how)[0] for token in (MASK, None))
    check_same(narrow, whole)
    assert [len(found["masked_logits"]) for found in narrow.run(SEQUENCES)] == COUNTS
    assert narrow.run(SEQUENCES[2:3])[0]["masked_logits"].shape == (1, 101)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_ready_graph_is_narrowed_once_with_its_own_numbers(model_folder, tmp_path, cache, precision, monkeypatch):
    """Exported, and its weights gone: the numbers can be no other's."""
    folder = tmp_path / "exported"
    export_model(model_folder("masked-lm"), folder, precision=precision, calibration=["a good film"], max_difference=1.0)
    assert not (folder / "model.safetensors").exists()
    narrow, whole = (load_engine(folder, head="masked-lm", only_token=token)[0] for token in (MASK, None))
    assert (narrow.precision, narrow.model.parent) == (precision, cache / "graphs")
    check_same(narrow, whole)
    monkeypatch.setattr("headway.graph.masks.for_masks_only", None)  # a second time would fail
    again, _ = load_engine(folder, head="masked-lm", only_token=MASK)
    assert again.model == narrow.model


def test_each_token_has_a_graph_of_its_own_beside_the_whole_one(model_folder, cache):
    folder = model_folder("masked-lm")
    models = [load_engine(folder, head="masked-lm", only_token=token)[0].model for token in (MASK, None, 5, MASK)]
    assert len(set(models)) == 3
    assert models[0] == models[3]


def test_a_graph_that_cannot_be_narrowed_serves_as_it_is(model_folder, tmp_path, cache, monkeypatch):
    folder = tmp_path / "exported"
    export_model(model_folder("masked-lm"), folder, precision="fp32")
    expected = pipeline("fill-mask", folder)(TEXTS)
    monkeypatch.setattr("headway.graph.masks.for_masks_only", lambda model, token: None)
    shutil.rmtree(cache)
    ready = pipeline("fill-mask", folder)
    assert list(ready.engine.run(SEQUENCES)[0]) == ["logits"]
    check_near(ready(TEXTS), expected)


@pytest.mark.parametrize("engine", ["onnx", pytest.param("torch", marks=pytest.mark.train)])
def test_fill_mask_asks_for_masks_alone_and_answers_as_from_a_whole_run(model_folder, cache, engine):
    folder = model_folder("masked-lm")
    ready = pipeline("fill-mask", folder, engine=engine)
    assert ready.engine.only_token == MASK
    whole = OnnxEngine(
        build_cached(folder, load_config(folder), head="masked-lm", precision="fp32"), ready.config, precision="fp32"
    )
    check_near(ready(TEXTS), type(ready)(ready._task, whole, ready.tokenizer)(TEXTS))
    assert pipeline("feature-extraction", folder, engine=engine).engine.only_token is None


@pytest.mark.train
def test_a_model_in_memory_scores_masks_alone_too(model_folder, cache):
    import headway

    folder = model_folder("masked-lm")
    ready = pipeline(model=headway.AutoModelForMaskedLM.from_pretrained(folder), tokenizer=folder)
    assert ready.engine.only_token == MASK
    check_near(ready(TEXTS), pipeline("fill-mask", folder)(TEXTS))


def check_near(ours, theirs):
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            check_near(one, other)
    else:
        assert ours == {**theirs, "score": pytest.approx(theirs["score"], abs=1e-5)}
