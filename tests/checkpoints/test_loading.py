import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from headway.architecture import weight_shapes
from headway.checkpoints import describe_new_weights, load_checkpoint, load_config, save_checkpoint
from headway.checkpoints.files import weight_files
from headway.errors import CheckpointError, ConfigError, HeadwayError, WeightError
from headway.families import family

BERT = family("bert")


@pytest.fixture
def weights_of(tiny_config, random_weights):
    def weights(head, config=tiny_config, seed=0):
        return random_weights(weight_shapes(BERT.architecture(config, head)), seed)

    return weights


@pytest.fixture
def saved(tmp_path, tiny_config, weights_of):
    """``saved(head)``: the folder of a tiny model; ``rename`` and ``drop`` change what is on disk."""

    def save(head, rename=lambda name: name, drop=lambda name: False, extra=None):
        folder = tmp_path / head
        save_checkpoint(folder, config=tiny_config, head=head, weights=weights_of(head))
        arrays = load_file(folder / "model.safetensors")
        arrays = {rename(name): array for name, array in arrays.items() if not drop(name)} | (extra or {})
        save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return save


def same(left, right):
    assert left.keys() == right.keys()
    for name, array in left.items():
        assert array.dtype == np.float32
        assert array.tobytes() == right[name].tobytes(), name


@pytest.mark.parametrize("head", ["base", "sequence-classification", "masked-lm"])
def test_what_was_saved_is_loaded_bit_for_bit(saved, weights_of, tiny_config, head):
    folder = saved(head)
    found = load_checkpoint(folder)
    assert found.head == head
    assert found.folder == folder
    assert found.family is BERT
    assert found.architecture == BERT.architecture(tiny_config, head)
    assert (found.missing, found.mismatched, found.unexpected) == ((), (), ())
    assert describe_new_weights(found) is None
    found.require_complete()
    same(found.weights, weights_of(head))


def test_a_configuration_is_loaded_without_looking_at_weights(saved, tiny_config):
    folder = saved("base")
    (folder / "model.safetensors").unlink()
    assert load_config(folder) == tiny_config.replace(architectures=["BertModel"])


def test_old_names_a_missing_prefix_and_stray_weights_mean_the_same_model(saved, weights_of):
    def old(name):
        return (
            name.removeprefix("bert.").replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        )

    stray = {
        "embeddings.position_ids": np.arange(41)[None],
        "cls.seq_relationship.weight": np.ones((2, 28), np.float32),
        "cls.predictions.decoder.weight": np.ones((101, 28), np.float32),
    }
    found = load_checkpoint(saved("masked-lm", rename=old, extra=stray))
    assert found.unexpected == ()
    same(found.weights, weights_of("masked-lm"))


def test_a_base_model_without_pooler_has_none_rather_than_a_random_one(saved, weights_of):
    found = load_checkpoint(saved("base", drop=lambda name: name.startswith("pooler.")))
    assert found.architecture.pooler is None
    assert found.missing == ()
    found.require_complete()
    same(found.weights, {name: array for name, array in weights_of("base").items() if not name.startswith("pooler.")})


def test_another_head_s_checkpoint_gives_the_encoder_and_says_what_is_new(saved, weights_of):
    found = load_checkpoint(saved("masked-lm"), head="sequence-classification")
    assert found.missing == ("pooler.dense.weight", "pooler.dense.bias", "head.classifier.weight", "head.classifier.bias")
    assert found.mismatched == ()
    assert "cls.predictions.transform.dense.weight" in found.unexpected
    same(found.weights, {name: array for name, array in weights_of("masked-lm").items() if not name.startswith("head.")})
    assert describe_new_weights(found) == (
        f"4 weights are made anew at random, because {found.folder} does not have them: "
        "bert.pooler.dense.weight, bert.pooler.dense.bias, classifier.weight, classifier.bias. "
        "Train the model before you trust its answers."
    )


def test_a_head_that_is_not_there_cannot_answer(saved):
    found = load_checkpoint(saved("base"), head="masked-lm")
    with pytest.raises(
        WeightError, match=r"has no cls\.predictions\.transform\.dense\.weight.*its answers as a masked-lm model would be random"
    ):
        found.require_complete()


def test_weights_of_layers_beyond_the_last_are_unexpected(saved):
    found = load_checkpoint(saved("base"), changes={"num_hidden_layers": 2})
    assert len(found.unexpected) == 16
    assert all(name.startswith("encoder.layer.2.") for name in found.unexpected)


def test_a_classifier_of_another_size_is_an_error_with_two_ways_out(saved):
    folder = saved("sequence-classification")
    with pytest.raises(WeightError) as caught:
        load_checkpoint(folder, changes={"num_labels": 3})
    assert str(caught.value) == (
        f"classifier.weight has the shape (5, 28) in {folder / 'model.safetensors'}, but the configuration asks for (3, 28). "
        "Load with num_labels=5 to use it as it is, or with ignore_mismatched_sizes=True to begin a new one."
    )
    assert load_checkpoint(folder, changes={"num_labels": 5}).missing == ()


def test_a_classifier_of_another_size_is_begun_anew_on_request(saved, weights_of):
    found = load_checkpoint(saved("sequence-classification"), changes={"num_labels": 3}, ignore_mismatched_sizes=True)
    assert found.missing == found.mismatched == ("head.classifier.weight", "head.classifier.bias")
    assert found.config.num_labels == found.architecture.head.num_labels == 3
    assert "classifier.weight" not in " ".join(found.unexpected)
    assert "has them in another size: classifier.weight, classifier.bias" in describe_new_weights(found)
    with pytest.raises(WeightError, match=r"has no classifier\.weight, classifier\.bias"):
        found.require_complete()
    kept = {name: array for name, array in weights_of("sequence-classification").items() if not name.startswith("head.")}
    same(found.weights, kept)


def test_another_head_s_weight_of_another_size_has_one_way_out(saved):
    folder = saved("masked-lm", extra={"cls.predictions.transform.dense.bias": np.ones(29, np.float32)})
    with pytest.raises(WeightError, match=r"\(29,\) in .* asks for \(28,\)\. Load with ignore_mismatched_sizes=True to begin"):
        load_checkpoint(folder)
    assert load_checkpoint(folder, ignore_mismatched_sizes=True).missing == ("head.dense.bias",)


@pytest.mark.parametrize("ignore", [False, True])
def test_an_encoder_weight_of_another_size_is_always_an_error(saved, ignore):
    with pytest.raises(WeightError) as caught:
        load_checkpoint(saved("base"), changes={"max_position_embeddings": 43}, ignore_mismatched_sizes=ignore)
    message = str(caught.value)
    assert "embeddings.position_embeddings.weight has the shape (41, 28)" in message
    assert "asks for (43, 28)" in message
    assert "put it back" in message


def test_one_piece_of_a_fusion_in_another_size_is_named(saved):
    wrong = {"encoder.layer.1.attention.self.key.weight": np.ones((28, 27), np.float32)}
    with pytest.raises(
        WeightError, match=r"encoder\.layer\.1\.attention\.self\.key\.weight has the shape \(28, 27\) .* asks for \(28, 28\)"
    ):
        load_checkpoint(saved("base", extra=wrong))


def test_a_missing_encoder_weight_is_an_error_that_names_it(saved):
    folder = saved("base", drop=lambda name: name == "encoder.layer.2.attention.self.value.bias")
    with pytest.raises(WeightError, match=rf"{folder} has no encoder\.layer\.2\.attention\.self\.value\.bias; without it"):
        load_checkpoint(folder, ignore_mismatched_sizes=True)


def test_weights_under_foreign_names_are_shown_beside_the_missing_ones(saved):
    with pytest.raises(WeightError) as caught:
        load_checkpoint(saved("base", rename=lambda name: f"module.{name}"))
    message = str(caught.value)
    assert "has no embeddings.word_embeddings.weight, " in message
    assert "and 47 more; without them" in message
    assert "does not use: module.embeddings.LayerNorm.bias, " in message


def test_one_weight_under_two_names_is_refused(saved):
    folder = saved("base", extra={"bert.embeddings.LayerNorm.gamma": np.ones(28, np.float32)})
    with pytest.raises(WeightError, match=r"holds one weight under two names, .*gamma.* and nothing says which is right"):
        load_checkpoint(folder)


def test_a_quantised_weight_is_refused(saved):
    folder = saved("base", extra={"pooler.dense.weight": np.ones((28, 28), np.int8)})
    with pytest.raises(WeightError, match=r"pooler\.dense\.weight in .* is stored as I8"):
        load_checkpoint(folder)


def sharded(folder):
    """Divide the folder's weights among three files."""
    arrays = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {name: f"model-0000{index % 3 + 1}-of-00003.safetensors" for index, name in enumerate(arrays)}
    for file in set(places.values()):
        save_file({name: array for name, array in arrays.items() if places[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def test_shards_are_one_model(saved, weights_of):
    same(load_checkpoint(sharded(saved("masked-lm"))).weights, weights_of("masked-lm"))


def test_a_missing_shard_is_an_error_that_names_it(saved):
    folder = sharded(saved("base"))
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(
        CheckpointError, match=r"has no model-00002-of-00003\.safetensors, though model\.safetensors\.index\.json names it"
    ):
        load_checkpoint(folder)


def test_an_index_that_names_a_weight_which_is_not_there_is_an_error(saved):
    folder = sharded(saved("base"))
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    index["weight_map"]["phantom.weight"] = "model-00001-of-00003.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(
        WeightError, match=r"says that phantom\.weight is in model-00001-of-00003\.safetensors, but it is not there"
    ):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "is not an index of weight files"),
        ("{}", "is not an index of weight files"),
        ('{"weight_map": ["a"]}', "is not an index of weight files"),
        pytest.param("[" * 100_000, "is not an index of weight files", id="deep"),
        ('{"weight_map": {"a": "../model.safetensors"}}', "names weight files outside its own folder, which is refused"),
    ],
)
def test_an_index_that_is_none_is_an_error(saved, index, message):
    folder = saved("base")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(folder)


def test_weights_of_other_libraries_are_named_with_the_way_out(saved):
    folder = saved("base")
    (folder / "model.safetensors").rename(folder / "tf_model.h5")
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder)
    message = str(caught.value)
    assert "only tf_model.h5, which is for another library" in message
    assert "AutoModel.from_pretrained(folder, from_tf=True or from_flax=True).save_pretrained(folder)" in message


def test_a_graph_alone_such_as_a_model_that_ships_is_named_with_what_to_give_in_its_place(saved):
    folder = saved("base")
    (folder / "model.safetensors").rename(folder / "model_int8.onnx")
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder)
    message = str(caught.value)
    assert f"{folder} holds model_int8.onnx and no weights, as the models that ship with Headway" in message
    assert "nothing can be trained from it or taught by its states. Give the model that it was exported from" in message
    assert "such as sentence-transformers/all-MiniLM-L6-v2" in message


def test_a_folder_without_weights_is_an_error_that_says_what_was_looked_for(saved):
    folder = saved("base")
    (folder / "model.safetensors").unlink()
    assert weight_files(folder) == []
    with pytest.raises(
        CheckpointError,
        match=r"model\.safetensors, model\.safetensors\.index\.json, pytorch_model\.bin or pytorch_model\.bin\.index\.json, so",
    ):
        load_checkpoint(folder)


def test_a_folder_without_configuration_is_an_error(saved):
    folder = saved("base")
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no config\.json, so it is not a model's folder"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "holds a JSON list"),
        ('{"hidden_size": 28}', "names no model_type"),
        ('{"model_type": "llama"}', "model_type 'llama' is not a family that Headway knows"),
        ('{"model_type": "bert", "hidden_size": "wide"}', "hidden_size is 'wide' in config.json, but it is a whole number"),
        ('{"model_type": "bert", "num_attention_heads": 0}', "is not a multiple of num_attention_heads"),
    ],
)
def test_a_configuration_that_means_nothing_is_an_error(saved, config, message):
    folder = saved("base")
    (folder / "config.json").write_text(config)
    with pytest.raises(ConfigError, match=message):
        load_checkpoint(folder)


def test_truncated_weights_are_an_error(saved):
    path = saved("base") / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(HeadwayError, match="It may be truncated or damaged: download or save it again"):
        load_checkpoint(path.parent)


def test_half_precision_weights_are_loaded_as_float32(saved, weights_of):
    folder = saved("base")
    arrays = {name: array.astype(np.float16) for name, array in load_file(folder / "model.safetensors").items()}
    save_file(arrays, folder / "model.safetensors")
    same(
        load_checkpoint(folder).weights,
        {name: array.astype(np.float16).astype(np.float32) for name, array in weights_of("base").items()},
    )
