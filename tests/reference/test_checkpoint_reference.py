"""Checkpoints against transformers: it loads what we save with equal logits, and we load what it saves bit for bit."""

import numpy as np
import pytest
import torch
import transformers

from headway.architecture import weight_shapes
from headway.checkpoints import describe_new_weights, load_checkpoint, load_config, save_checkpoint
from headway.families import family

BERT = family("bert")
HEADS = {"base": "BertModel", "sequence-classification": "BertForSequenceClassification", "masked-lm": "BertForMaskedLM"}
TIED = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}


def state_of(class_name, folder):
    """The arrays of transformers' own model, by name, without those that are another's twin; and what it says about loading."""
    model, report = getattr(transformers, class_name).from_pretrained(folder, output_loading_info=True)
    return model, report, {name: array.numpy() for name, array in model.state_dict().items() if name not in TIED}


def assert_same_arrays(checkpoint, state):
    theirs = BERT.weight_names(checkpoint.config, checkpoint.head).to_theirs(
        checkpoint.weights, has_head=checkpoint.head != "base"
    )
    assert theirs.keys() == state.keys()
    for name, array in theirs.items():
        assert array.dtype == state[name].dtype == np.float32
        assert array.shape == state[name].shape
        assert array.tobytes() == state[name].tobytes(), name
        assert np.count_nonzero(array) == array.size, name


def inputs():
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 101, (3, 13), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    types = torch.zeros_like(ids)
    types[:, 5:] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


@pytest.mark.parametrize(("head", "class_name"), HEADS.items())
@pytest.mark.parametrize("shard", [None, "20KB"])
def test_we_load_what_transformers_saves(transformers_folder, head, class_name, shard):
    folder = transformers_folder(class_name, **({"max_shard_size": shard} if shard else {}))
    assert (folder / "model.safetensors.index.json").exists() == (shard is not None)
    found = load_checkpoint(folder)
    assert found.head == head
    assert (found.missing, found.unexpected) == ((), ())
    assert_same_arrays(found, state_of(class_name, folder)[2])


@pytest.mark.parametrize(("head", "class_name"), HEADS.items())
@pytest.mark.parametrize("max_shard_bytes", [10**9, 20_000])
def test_transformers_loads_what_we_save_with_equal_logits(transformers_folder, tmp_path, head, class_name, max_shard_bytes):
    origin = transformers_folder(class_name, name="origin", seed=1)
    found = load_checkpoint(origin)
    save_checkpoint(tmp_path / "ours", config=found.config, head=head, weights=found.weights, max_shard_bytes=max_shard_bytes)
    theirs, _, before = state_of(class_name, origin)
    again, report, after = state_of(class_name, tmp_path / "ours")
    assert {name: list(names) for name, names in report.items()} == {
        "missing_keys": [],
        "unexpected_keys": [],
        "mismatched_keys": [],
        "error_msgs": [],
    }
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    with torch.inference_mode():
        assert torch.equal(theirs(**inputs())[0], again(**inputs())[0])
    assert again.config.to_diff_dict() == theirs.config.to_diff_dict()


@pytest.mark.parametrize(("head", "class_name"), HEADS.items())
def test_transformers_loads_a_model_that_began_here(tmp_path, tiny_config, random_weights, head, class_name):
    """No file of transformers came before it: names, sizes, labels and defaults are all ours."""
    config = tiny_config.replace(id2label={0: "a", 1: "b", 2: "c", 3: "d", 4: "e"})
    weights = random_weights(weight_shapes(BERT.architecture(config, head)))
    save_checkpoint(tmp_path, config=config, head=head, weights=weights)
    model, report, state = state_of(class_name, tmp_path)
    assert not any(report.values())
    assert_same_arrays(load_checkpoint(tmp_path), state)
    assert model.config.id2label == config.id2label
    assert model.config.label2id == config.label2id
    assert model.config.num_labels == 5


def test_a_published_model_loads_bit_for_bit(minilm_folder):
    found = load_checkpoint(minilm_folder)
    assert (found.head, found.missing, found.unexpected) == ("base", (), ())
    state = state_of("BertModel", minilm_folder)[2]
    theirs = BERT.weight_names(found.config, found.head).to_theirs(found.weights, has_head=False)
    assert theirs.keys() == state.keys()
    assert all(array.tobytes() == state[name].tobytes() for name, array in theirs.items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_as_torch_does(transformers_folder, dtype):
    folder = transformers_folder("BertModel")
    model = transformers.BertModel.from_pretrained(folder).to(dtype)
    model.save_pretrained(folder)
    assert_same_arrays(load_checkpoint(folder), {name: array.float().numpy() for name, array in model.state_dict().items()})


@pytest.mark.parametrize("class_name", ["BertForPreTraining", "BertForTokenClassification", "BertForNextSentencePrediction"])
def test_the_encoder_of_other_heads_loads(transformers_folder, class_name):
    folder = transformers_folder(class_name)
    found = load_checkpoint(folder, head="base")
    state = state_of("BertModel", folder)[2]
    has_pooler = class_name != "BertForTokenClassification"
    assert (found.architecture.pooler is not None) == has_pooler
    assert_same_arrays(found, {name: array for name, array in state.items() if has_pooler or not name.startswith("pooler.")})


def test_a_pre_trained_head_of_two_parts_serves_as_a_masked_lm(transformers_folder):
    folder = transformers_folder("BertForPreTraining")
    found = load_checkpoint(folder, head="masked-lm")
    assert found.missing == ()
    assert_same_arrays(found, state_of("BertForMaskedLM", folder)[2])


def test_new_weights_are_the_same_as_for_transformers(transformers_folder):
    folder = transformers_folder("BertForMaskedLM")
    found = load_checkpoint(folder, head="sequence-classification")
    report = state_of("BertForSequenceClassification", folder)[1]
    assert sorted(found.hub_names(found.missing)) == sorted(report["missing_keys"])
    assert all(name in describe_new_weights(found) for name in report["missing_keys"])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_labels": 3},
        {"id2label": {0: "no", 1: "yes", 2: "perhaps"}, "label2id": {"no": 0, "yes": 1, "perhaps": 2}},
        {"num_labels": 1, "problem_type": "regression"},
    ],
)
def test_label_settings_mean_the_same(tmp_path, settings):
    theirs = transformers.BertConfig(**settings)
    theirs.save_pretrained(tmp_path)
    ours = load_config(tmp_path)
    assert (ours.num_labels, ours.id2label, ours.problem_type) == (theirs.num_labels, theirs.id2label, theirs.problem_type)
    assert ours.label2id == theirs.label2id
    made = BERT.config(**settings)
    assert (made.num_labels, made.id2label, made.label2id) == (theirs.num_labels, theirs.id2label, theirs.label2id)
