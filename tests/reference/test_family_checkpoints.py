"""Checkpoints of every family and head: we load what transformers saves bit for bit, and it loads what we save."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from conftest import make_random_weights
from headway.architecture import weight_shapes
from headway.checkpoints import load_checkpoint, save_checkpoint
from headway.errors import WeightError
from reference.family_cases import CASES, COMBINATIONS, batch, saved_folder, transformers_class, transformers_model

WHOLE = [case for case in CASES if len(case.heads) > 4]
BY_NAME = {case.name: case for case in CASES}


def parameters(model):
    """Arrays by name; a tied one only once."""
    return {name: weight.detach().numpy() for name, weight in model.named_parameters()}


def hub_arrays(found):
    table = found.family.weight_names(found.config, found.head)
    return table.to_theirs(found.weights, has_head=found.head != "base")


def resaved(folder, target, rename, *, config=None):
    """A copy of a folder with other names for its weights, None for those to leave out, and perhaps other settings."""
    target.mkdir()
    arrays = load_file(folder / "model.safetensors")
    save_file({rename(name): array for name, array in arrays.items() if rename(name)}, target / "model.safetensors")
    settings = json.loads((folder / "config.json").read_text()) | (config or {})
    (target / "config.json").write_text(json.dumps(settings))
    return target


@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
def test_both_ways_with_equal_arrays_and_logits(tmp_path, combination):
    case, head = combination.case, combination.head
    theirs = transformers_model(case, head)
    found = load_checkpoint(saved_folder(case, head))
    assert (found.head, found.missing, found.unexpected) == (head, (), ())
    expected, ours = parameters(theirs), hub_arrays(found)
    assert ours.keys() == expected.keys()
    for name, array in ours.items():
        assert array.dtype == expected[name].dtype == np.float32
        assert array.shape == expected[name].shape
        assert array.tobytes() == expected[name].tobytes(), name

    save_checkpoint(tmp_path, config=found.config, head=head, weights=found.weights)
    again, report = transformers_class(case, head).from_pretrained(
        tmp_path, attn_implementation="eager", output_loading_info=True
    )
    assert not any(report.values()), report
    after = parameters(again)
    assert after.keys() == expected.keys()
    assert all(np.array_equal(after[name], expected[name]) for name in after)
    inputs = {name: torch.from_numpy(array) for name, array in batch(case, head).items()}
    with torch.inference_mode():
        before, now = theirs(**inputs), again(**inputs)
    assert before.keys() == now.keys()
    for name in before:
        torch.testing.assert_close(now[name], before[name], rtol=1e-6, atol=1e-6)
    assert again.config.to_diff_dict() == type(theirs.config).from_pretrained(saved_folder(case, head)).to_diff_dict()


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_transformers_loads_a_model_that_began_here(tmp_path, case):
    """No file of transformers came before it: names, sizes, labels and defaults are all ours."""
    head = "sequence-classification"
    config = case.config(head).replace(id2label={0: "a", 1: "b", 2: "c", 3: "d", 4: "e"})
    weights = make_random_weights(weight_shapes(case.family.architecture(config, head)))
    save_checkpoint(tmp_path, config=config, head=head, weights=weights)
    model, report = transformers_class(case, head).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    theirs, ours = parameters(model), hub_arrays(load_checkpoint(tmp_path))
    assert theirs.keys() == ours.keys()
    assert all(np.array_equal(array, ours[name]) for name, array in theirs.items())
    assert (model.config.id2label, model.config.label2id) == (config.id2label, config.label2id)


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_any_head_begins_with_the_encoder_of_any_other(case):
    for saved in case.heads:
        folder = saved_folder(case, saved)
        whole = load_checkpoint(folder)
        encoder = {name: array for name, array in whole.weights.items() if not name.startswith(("head.", "pooler."))}
        for wanted in case.heads:
            changes = {"num_labels": 2} if wanted == "question-answering" else {}
            found = load_checkpoint(folder, head=wanted, changes=changes, ignore_mismatched_sizes=True)
            assert all(name.startswith(("head.", "pooler.")) for name in found.missing)
            assert encoder.keys() <= found.weights.keys()
            assert all(np.array_equal(array, found.weights[name]) for name, array in encoder.items())
            assert wanted != "base" or found.missing == ()


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_new_weights_of_a_classifier_are_the_same_as_for_transformers(case):
    folder = saved_folder(case, "masked-lm")
    found = load_checkpoint(folder, head="sequence-classification")
    _, report = transformers_class(case, "sequence-classification").from_pretrained(folder, output_loading_info=True)
    assert sorted(found.hub_names(found.missing)) == sorted(report["missing_keys"])


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_an_encoder_saved_without_prefix_serves_a_head_and_one_with_it_the_base(tmp_path, case):
    """As sentence-transformers saves it."""
    bare = saved_folder(case, "base")
    found = load_checkpoint(bare, head="token-classification")
    prefix = found.family.weight_names(found.config, "base").prefix
    prefixed = load_checkpoint(resaved(bare, tmp_path / "prefixed", lambda name: prefix + name), head="token-classification")
    assert found.missing == prefixed.missing
    assert all(name.startswith("head.") for name in found.missing)
    assert found.weights.keys() == prefixed.weights.keys()
    assert all(np.array_equal(array, prefixed.weights[name]) for name, array in found.weights.items())


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_a_tied_matrix_on_disk_is_dropped_or_stands_in_for_the_table(tmp_path, case):
    folder = saved_folder(case, "masked-lm")
    whole = load_checkpoint(folder)
    table = whole.family.weight_names(whole.config, "masked-lm")
    (tied, original), *_ = table.tied
    both = tmp_path / "both"
    resaved(folder, both, lambda name: name)
    arrays = load_file(folder / "model.safetensors")
    save_file(arrays | {tied: arrays[table.prefix + original].copy()}, both / "model.safetensors")
    instead = resaved(folder, tmp_path / "instead", lambda name: tied if name == table.prefix + original else name)
    for place in (both, instead):
        found = load_checkpoint(place)
        assert (found.missing, found.unexpected) == ((), ())
        assert all(np.array_equal(array, whole.weights[name]) for name, array in found.weights.items())


@pytest.mark.parametrize("model_type", ["bert", "roberta", "electra", "deberta-v2"])
def test_names_from_the_time_of_tensorflow_and_stray_positions(tmp_path, model_type):
    case = BY_NAME[model_type]
    folder = saved_folder(case, "masked-lm")
    old = resaved(
        folder,
        tmp_path / "old",
        lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"),
    )
    arrays = load_file(old / "model.safetensors")
    prefix = load_checkpoint(folder).family.weight_names(case.config("masked-lm"), "masked-lm").prefix
    save_file(arrays | {f"{prefix}embeddings.position_ids": np.arange(41)[None]}, old / "model.safetensors")
    found, whole = load_checkpoint(old), load_checkpoint(folder)
    assert (found.missing, found.unexpected) == ((), ())
    assert all(np.array_equal(array, whole.weights[name]) for name, array in found.weights.items())


def test_a_discriminator_s_checkpoint_answers_no_masked_lm(tmp_path):
    """DeBERTa v3 as Microsoft published it: the discriminator, and beside it what is left of a masked LM's head."""
    case = BY_NAME["deberta-v2"]
    arrays = load_file(saved_folder(case, "replaced-token") / "model.safetensors")
    microsoft = resaved(
        saved_folder(case, "masked-lm"),
        tmp_path / "both",
        lambda name: name.replace("cls.predictions.", "lm_predictions.lm_head.").replace(".transform.", "."),
    )
    lm_head = load_file(microsoft / "model.safetensors")
    assert {name for name in lm_head if not name.startswith("deberta.")} == {
        f"lm_predictions.lm_head.{name}" for name in ("dense.weight", "dense.bias", "LayerNorm.weight", "LayerNorm.bias", "bias")
    }
    alone = load_checkpoint(microsoft)
    alone.require_complete()
    assert np.array_equal(alone.weights["head.dense.weight"], lm_head["lm_predictions.lm_head.dense.weight"])

    positions = {"deberta.embeddings.position_embeddings.weight": np.ones((41, 28), np.float32)}
    save_file(lm_head | arrays | positions, microsoft / "model.safetensors")
    load_checkpoint(microsoft, head="replaced-token").require_complete()
    found = load_checkpoint(microsoft, head="masked-lm")
    assert not any("position_embeddings" in name for name in found.unexpected)
    with pytest.raises(WeightError, match=r"has mask_predictions\.LayerNorm\.bias, .* for another head, .* as a masked-lm"):
        found.require_complete()


def test_electra_s_discriminator_answers_no_masked_lm_and_its_generator_does():
    case = BY_NAME["electra"]
    with pytest.raises(WeightError, match=r"has discriminator_predictions\..* would be random"):
        load_checkpoint(saved_folder(case, "replaced-token"), head="masked-lm").require_complete()
    load_checkpoint(saved_folder(case, "masked-lm")).require_complete()


def test_settings_that_nobody_knows_are_named_when_a_model_is_loaded(tmp_path):
    folder = resaved(saved_folder(BY_NAME["roberta"], "base"), tmp_path / "odd", str, config={"swiglu": True, "adapters": {}})
    with pytest.warns(UserWarning, match="this roberta model has settings that Headway does not know, .*: adapters, swiglu. If"):
        load_checkpoint(folder)


def test_one_classifier_s_weights_answer_for_no_other():
    folder = saved_folder(BY_NAME["bert"], "sequence-classification")
    found = load_checkpoint(folder, head="token-classification")
    assert found.missing == ()
    with pytest.raises(WeightError, match="was saved as a sequence-classification model; as a token-classification model it"):
        found.require_complete()
    load_checkpoint(folder, head="base").require_complete()
