import dataclasses
import re

import pytest

from headway.architecture import weight_shapes
from headway.errors import ConfigError, TaskError
from headway.families import family

BERT = family("bert")


def test_a_configuration_has_the_defaults_and_what_was_given():
    config = BERT.config(hidden_size=28, num_labels=3, id2label={0: "a", 1: "b", 2: "c"})
    assert (config.model_type, config.hidden_size, config.num_hidden_layers, config.num_labels) == ("bert", 28, 12, 3)
    assert config.label2id == {"a": 0, "b": 1, "c": 2}


def test_a_head_that_the_family_lacks_is_refused_with_those_it_has(tiny_config):
    with pytest.raises(TaskError, match="no 'replaced-token' head here; they have base, sequence-classification, token-"):
        BERT.architecture(tiny_config, "replaced-token")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("position_embedding_type", "relative_key"),
        ("is_decoder", True),
        ("add_cross_attention", True),
        ("pruned_heads", {"1": [0]}),
    ],
)
def test_a_setting_that_needs_other_mathematics_is_refused(tiny_config, name, value):
    with pytest.raises(ConfigError, match=f"{name} is {re.escape(repr(value))} in config.json, which changes what a bert"):
        BERT.architecture(tiny_config.replace(**{name: value}), "base")


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("hidden_size", "28", "whole number"),
        ("vocab_size", -1, "whole number"),
        ("layer_norm_eps", None, "number"),
        ("layer_norm_eps", float("nan"), "number"),
        ("layer_norm_eps", float("inf"), "number"),
        ("num_hidden_layers", True, "whole number"),
    ],
)
def test_a_number_that_is_none_is_an_error_that_names_it(tiny_config, name, value, kind):
    with pytest.raises(ConfigError, match=f"{name} is {value!r} in config.json, but it is a {kind}, not below zero"):
        BERT.architecture(tiny_config.replace(**{name: value}), "base")


def test_settings_absent_from_the_file_take_the_defaults(tiny_config):
    values = {name: value for name, value in tiny_config.to_dict().items() if name not in ("layer_norm_eps", "hidden_act")}
    architecture = BERT.architecture(type(tiny_config)(values), "base")
    assert architecture.encoder.layers[0].attention_norm.eps == 1e-12
    assert architecture.encoder.layers[0].feed_forward.activation == "gelu"


@pytest.mark.parametrize(
    ("names", "head"),
    [
        (["BertForMaskedLM"], "masked-lm"),
        (["Unknown", "BertModel"], "base"),
        (["BertForPreTraining"], "pretraining"),
        (["BertLMHeadModel"], None),
        (None, None),
    ],
)
def test_the_head_is_the_one_that_the_checkpoint_was_saved_with(tiny_config, names, head):
    assert BERT.head_in(tiny_config.replace(architectures=names)) == head


def test_weights_of_each_head_have_the_shapes_that_the_sizes_say(tiny_config):
    base = weight_shapes(BERT.architecture(tiny_config, "base"))
    assert len(base) == 5 + 3 * 12 + 2
    assert base["embeddings.token.weight"] == (101, 28)
    assert base["embeddings.position.weight"] == (41, 28)
    assert base["embeddings.token_type.weight"] == (2, 28)
    assert base["layers.2.attention.qkv.weight"] == (84, 28)
    assert base["layers.2.attention.qkv.bias"] == (84,)
    assert base["layers.2.feed_forward.up.weight"] == (37, 28)
    assert base["layers.2.feed_forward.down.weight"] == (28, 37)
    classifier = weight_shapes(BERT.architecture(tiny_config, "sequence-classification"))
    assert {name: classifier[name] for name in classifier.keys() - base.keys()} == {
        "head.classifier.weight": (5, 28),
        "head.classifier.bias": (5,),
    }
    masked = weight_shapes(BERT.architecture(tiny_config, "masked-lm"))
    assert masked.keys() - base.keys() == {
        "head.dense.weight",
        "head.dense.bias",
        "head.norm.weight",
        "head.norm.bias",
        "head.decoder.bias",
    }
    assert masked["head.decoder.bias"] == (101,)
    assert base.keys() - masked.keys() == {"pooler.dense.weight", "pooler.dense.bias"}


def test_an_architecture_is_frozen_and_can_be_compared(tiny_config):
    one, other = BERT.architecture(tiny_config, "base"), BERT.architecture(tiny_config, "base")
    assert one == other
    assert hash(one) == hash(other)
    assert dataclasses.replace(one, pooler=None) != one
