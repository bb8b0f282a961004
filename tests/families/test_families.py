"""What families read and refuse, and that the published configurations give the published sizes."""

import dataclasses
import math

import pytest

from headway.architecture import BucketBias, Disentangled, Fuse, Interleave, ModelConfig, Rename, Rotary, weight_shapes
from headway.architecture.family import METADATA
from headway.errors import ConfigError, TaskError
from headway.families import family, model_types

ROBERTA = {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5, "bos_token_id": 0, "eos_token_id": 2}
DEBERTA_V3 = {
    "relative_attention": True,
    "position_buckets": 256,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": "p2c|c2p",
    "max_relative_positions": -1,
    "position_biased_input": False,
    "layer_norm_eps": 1e-7,
    "type_vocab_size": 0,
}
BASE_SIZE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
PUBLISHED = {
    "bert-base-uncased": ("bert", {"gradient_checkpointing": False, "position_embedding_type": "absolute"}, 109_482_240),
    "bert-base-multilingual-cased": (
        "bert",
        {
            "vocab_size": 119547,
            "directionality": "bidi",
            "pooler_fc_size": 768,
            "pooler_num_attention_heads": 12,
            "pooler_num_fc_layers": 3,
            "pooler_size_per_head": 128,
            "pooler_type": "first_token_transform",
        },
        177_853_440,
    ),
    "distilbert-base-uncased": ("distilbert", {"sinusoidal_pos_embds": False, "tie_weights_": True}, 66_362_880),
    "roberta-base": ("roberta", ROBERTA, 124_645_632),
    "xlm-roberta-base": ("xlm-roberta", ROBERTA | {"vocab_size": 250002, "output_past": True}, 278_043_648),
    "camembert-base": ("camembert", ROBERTA | {"vocab_size": 32005, "output_past": True}, 110_621_952),
    "electra-small-discriminator": ("electra", {}, 13_483_008),
    "electra-base-discriminator": ("electra", BASE_SIZE | {"embedding_size": 768, "summary_last_dropout": 0.1}, 108_891_648),
    "mpnet-base": (
        "mpnet",
        {"max_position_embeddings": 514, "layer_norm_eps": 1e-5, "relative_attention_num_buckets": 32, "bos_token_id": 0},
        109_486_464,
    ),
    "deberta-base": (
        "deberta",
        {
            "relative_attention": True,
            "pos_att_type": "c2p|p2c",
            "max_relative_positions": -1,
            "position_biased_input": False,
            "padding_idx": 0,
        },
        138_601_728,
    ),
    "deberta-v3-base": (
        "deberta-v2",
        DEBERTA_V3 | BASE_SIZE | {"pooler_hidden_size": 768, "pooler_dropout": 0, "pooler_hidden_act": "gelu"},
        183_831_552,
    ),
    "deberta-v2-xlarge": (
        "deberta-v2",
        DEBERTA_V3 | {"attention_head_size": 64, "conv_kernel_size": 3, "conv_act": "gelu"},
        884_593_152,
    ),
    "ModernBERT-base": (
        "modernbert",
        {"classifier_pooling": "mean", "layer_norm_eps": 1e-5, "position_embedding_type": "absolute", "reference_compile": True},
        149_014_272,
    ),
}


def total(shapes):
    return sum(math.prod(shape) for shape in shapes.values())


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_configurations_are_known_whole_and_give_the_published_size(name):
    model_type, settings, parameters = PUBLISHED[name]
    found = family(model_type)
    config = found.config(**settings)
    assert found.unknown_settings(config) == []
    assert total(weight_shapes(found.architecture(config, "base"))) == parameters


@pytest.mark.parametrize("model_type", sorted({model_type for model_type, *_ in PUBLISHED.values()}))
def test_every_weight_of_every_head_has_one_name_on_the_hub_and_comes_back(model_type):
    found = family(model_type)
    for head in found.heads:
        config = found.config(num_labels=2)
        names = found.weight_names(config, head)
        has_head = head != "base"
        shapes = weight_shapes(found.architecture(config, head))
        theirs = [their for name in shapes for their in names.names_of(name, has_head=has_head)]
        assert len(theirs) == len(set(theirs))
        assert set(names.to_ours({their: list for their in theirs})[0]) == set(shapes)


def test_settings_that_nobody_knows_are_named():
    found = family("bert")
    config = found.config().replace(hidden_sise=28, emb_pooler="mean", _name_or_path="here", transformers_version="4.57.6")
    assert found.unknown_settings(config) == ["emb_pooler", "hidden_sise"]


def test_known_settings_of_any_model_are_not_read_by_a_family_but_for_ids_and_tying():
    read = {name for model_type in model_types() for name in family(model_type).defaults}
    assert read & METADATA == {"pad_token_id", "tie_word_embeddings"}


REFUSED = [
    ("bert", {"position_embedding_type": "relative_key"}, "base", "position_embedding_type is 'relative_key' in config.json"),
    ("bert", {"position_embedding_type": "alibi"}, "base", "only 'absolute' is supported"),
    ("bert", {"is_decoder": True}, "base", "is_decoder is True in config.json, which changes what a bert model computes"),
    ("bert", {"quantization_config": {"bits": 4}}, "base", "quantization_config is {'bits': 4}"),
    ("bert", {"tie_word_embeddings": False}, "masked-lm", "a masked LM here scores with the token embeddings themselves"),
    ("bert", {"tie_word_embeddings": False}, "pretraining", "Use a checkpoint that ties the two, or another head"),
    ("bert", {"num_labels": 3}, "question-answering", "num_labels is 3, but question answering scores two things for each token"),
    ("roberta", {"pruned_heads": {"0": [1, 2]}}, "base", r"pruned_heads is {'0': \[1, 2\]}"),
    ("xlm-roberta", {"add_cross_attention": True}, "base", "which changes what a xlm-roberta model computes"),
    ("distilbert", {"dim": 27}, "base", r"dim \(27\) is not a multiple of n_heads \(12\)"),
    ("distilbert", {"activation": "mish"}, "base", "activation is 'mish'; known are gelu"),
    ("distilbert", {"num_labels": 3}, "question-answering", "Load with num_labels=2"),
    ("electra", {"summary_type": "last"}, "multiple-choice", "summary_type is 'last'; known are first. Multiple choice reads"),
    ("electra", {"summary_use_proj": False}, "multiple-choice", "settings summary_use_proj, summary_proj_to_labels and"),
    ("electra", {"summary_proj_to_labels": True}, "multiple-choice", "Multiple choice supports only that one"),
    ("electra", {"summary_activation": None}, "multiple-choice", "Multiple choice supports only that one"),
    ("mpnet", {"relative_attention_num_buckets": 16}, "base", "relative_attention_num_buckets is 16"),
    ("deberta", {"talking_head": True}, "base", "talking_head is True"),
    ("deberta", {"relative_attention": True}, "base", "relative_attention is True and pos_att_type None in config.json"),
    ("deberta", {"pos_att_type": "c2p"}, "base", "relative_attention is False and pos_att_type 'c2p'"),
    ("deberta", {"relative_attention": True, "pos_att_type": ["c2p", "p2p"]}, "base", "others change every score"),
    (
        "deberta",
        {"pooler_hidden_size": 512},
        "sequence-classification",
        "pooler_hidden_size is 512 in config.json, but",
    ),
    ("deberta", {"pooler_hidden_act": "linear"}, "sequence-classification", "pooler_hidden_act is 'linear'; known are"),
    (
        "deberta-v2",
        DEBERTA_V3 | {"norm_rel_ebd": "batch_norm"},
        "base",
        "norm_rel_ebd is 'batch_norm'; known are none, layer",
    ),
    ("deberta-v2", {"conv_kernel_size": 4}, "base", "conv_kernel_size is 4 in config.json; only an odd size has a middle"),
    ("deberta-v2", {"conv_kernel_size": 3, "conv_act": "mish"}, "base", "conv_act is 'mish'; known are"),
    ("deberta-v2", {"attention_head_size": 32}, "base", "attention_head_size is 32 in config.json, but hidden_size divided by"),
    ("deberta-v2", {"share_att_key": "yes"}, "base", "share_att_key is 'yes' in config.json, but it is true or false"),
    (
        "deberta-v2",
        {"position_buckets": -2},
        "base",
        "position_buckets is -2 in config.json, but it is a whole number, not below",
    ),
    ("modernbert", {"classifier_pooling": "max"}, "sequence-classification", "classifier_pooling is 'max'; known are cls, mean"),
    ("modernbert", {"num_attention_heads": 256}, "base", r"num_attention_heads \(256\) is 3, but rotary positions turn"),
    (
        "modernbert",
        {"layer_types": ["full_attention"]},
        "base",
        "full_attention or sliding_attention for each of the 22 layers",
    ),
    ("modernbert", {"layer_types": ["causal"] * 22}, "base", "layer_types is .* Correct it"),
    ("modernbert", {"rope_parameters": {}}, "base", "rope_parameters of config.json has {} for full_attention"),
    (
        "modernbert",
        {"rope_parameters": {"full_attention": {"rope_type": "yarn", "rope_theta": 1.0}}},
        "base",
        "because scaled rotary positions change every score",
    ),
    ("modernbert", {"rope_scaling": {"type": "linear"}}, "base", "rope_scaling is {'type': 'linear'}"),
    ("modernbert", {"tie_word_embeddings": False}, "masked-lm", "tie_word_embeddings is False"),
]


@pytest.mark.parametrize(("model_type", "settings", "head", "message"), REFUSED)
def test_what_needs_other_mathematics_is_refused_with_the_reason(model_type, settings, head, message):
    found = family(model_type)
    with pytest.raises(ConfigError, match=message):
        found.architecture(found.config().replace(**settings), head)


def test_a_summary_that_only_multiple_choice_reads_troubles_no_other_head():
    found = family("electra")
    config = found.config(summary_type="last", tie_word_embeddings=False)
    assert found.architecture(config, "token-classification").pooler is None


def test_heads_that_transformers_does_not_define_are_refused():
    found = family("deberta")
    with pytest.raises(TaskError, match="deberta models have no 'multiple-choice' head here; they have base, sequence-"):
        found.architecture(found.config(), "multiple-choice")


@pytest.mark.parametrize("spelling", ["c2p|p2c", "P2C | C2P", ["p2c", "c2p"]])
def test_terms_of_relative_positions_in_all_spellings(spelling):
    found = family("deberta")
    config = found.config(relative_attention=True, pos_att_type=spelling, max_relative_positions=-1)
    positions = found.architecture(config, "base").encoder.table
    assert isinstance(positions, Disentangled)
    assert positions.terms == ("content-to-position", "position-to-content")
    assert (positions.span, positions.max_distance, positions.shared, positions.key_bias) == (512, None, False, False)


@pytest.mark.parametrize(
    ("settings", "span", "max_distance"),
    [
        ({"position_buckets": 256, "max_relative_positions": -1}, 256, 512),
        ({"position_buckets": 256, "max_relative_positions": 300}, 256, 300),
        ({"position_buckets": -1, "max_relative_positions": 128}, 128, None),
        ({"position_buckets": -1, "max_relative_positions": -1}, 512, None),
    ],
)
def test_buckets_and_the_largest_distance(settings, span, max_distance):
    found = family("deberta-v2")
    positions = found.architecture(found.config(**DEBERTA_V3 | settings), "base").encoder.table
    assert (positions.span, positions.max_distance, positions.key_bias) == (span, max_distance, True)


def test_roberta_s_positions_begin_after_the_padding_s_id():
    found = family("roberta")
    encoder = found.architecture(found.config(**ROBERTA), "base").encoder
    assert (encoder.embeddings.positions.padding_id, encoder.max_tokens) == (1, 512)


def test_mpnet_s_positions_begin_after_one_whatever_the_padding_s_id():
    found = family("mpnet")
    encoder = found.architecture(found.config(pad_token_id=0, max_position_embeddings=514), "base").encoder
    assert (encoder.embeddings.positions.padding_id, encoder.embeddings.padding_id, encoder.max_tokens) == (1, 1, 512)
    assert encoder.table == BucketBias(buckets=32, max_distance=128)


def test_distilbert_is_known_under_berts_words_too():
    found = family("distilbert")
    config = ModelConfig({"model_type": "distilbert", "hidden_size": 28, "num_hidden_layers": 3, "num_attention_heads": 4})
    encoder = found.architecture(config, "base").encoder
    assert (encoder.hidden_size, len(encoder.layers), encoder.layers[0].attention.num_heads) == (28, 3, 4)
    assert (encoder.layers[0].attention.out_dropout, encoder.layers[0].feed_forward.dropout) == (0.0, 0.1)


V5 = {
    "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
    "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 700.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
    },
}
V4 = {"global_attn_every_n_layers": 3, "global_rope_theta": 700.0, "local_rope_theta": 50.0}


def test_modernbert_reads_the_spelling_of_transformers_4_and_5():
    found = family("modernbert")
    old = found.architecture(found.config(num_hidden_layers=5, **V4), "base")
    assert found.architecture(found.config(num_hidden_layers=5, **V5), "base") == old
    assert [layer.attention.window for layer in old.encoder.layers] == [None, 64, 64, None, 64]
    assert [layer.attention.positions for layer in old.encoder.layers[:2]] == [Rotary(theta=700.0), Rotary(theta=50.0)]
    assert [layer.attention_norm is None for layer in old.encoder.layers] == [True, False, False, False, False]


def test_layers_see_everything_or_little_by_their_number():
    found = family("modernbert")
    layers = found.architecture(found.config(num_hidden_layers=3, global_attn_every_n_layers=0, local_attention=7), "base")
    assert [layer.attention.window for layer in layers.encoder.layers] == [None, 3, 3]


@pytest.mark.parametrize(("legacy", "name"), [(True, "cls.predictions.bias"), (False, "lm_predictions.lm_head.bias")])
def test_deberta_s_masked_lm_is_written_in_its_spelling_and_read_in_both(legacy, name):
    found = family("deberta-v2")
    names = found.weight_names(found.config(legacy=legacy), "masked-lm")
    assert names.names_of("head.decoder.bias", has_head=True) == [name]
    for dense in ("cls.predictions.transform.dense.weight", "lm_predictions.lm_head.dense.weight"):
        assert set(names.to_ours({dense: list})[0]) == {"head.dense.weight"}


@pytest.mark.parametrize(
    ("model_type", "name"),
    [("deberta-v2", "mask_predictions.dense.weight"), ("electra", "discriminator_predictions.dense.weight")],
)
def test_a_discriminator_s_head_contradicts_a_masked_lm_and_nothing_else(model_type, name):
    found = family(model_type)
    contradicted = {head for head in found.heads if found.weight_names(found.config(), head).contradicts(name)}
    assert contradicted == {"masked-lm"}


def test_layers_are_fused_or_interleaved_as_each_family_stores_them():
    kinds = {
        model_type: {
            type(rule)
            for rule in family(model_type).weight_names(family(model_type).config(), "base").base
            if rule.ours.endswith("attention.qkv")
        }
        for model_type in ("bert", "deberta", "modernbert")
    }
    assert kinds == {"bert": {Fuse}, "deberta": {Interleave}, "modernbert": {Rename}}


def dropouts(parts, path=""):
    """Every dropout in a description, by where it is."""
    found = {}
    for field in dataclasses.fields(parts):
        value, here = getattr(parts, field.name), f"{path}.{field.name}".lstrip(".")
        if field.name.endswith("dropout") and value:
            found[here] = value
        if field.name == "layers":
            value, here = value[0], "layer"
        if dataclasses.is_dataclass(value):
            found |= dropouts(value, here)
    return found


@pytest.mark.parametrize(
    ("model_type", "head", "settings", "expected"),
    [
        (
            "bert",
            "multiple-choice",
            {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.3, "classifier_dropout": 0.4},
            {"embeddings": 0.2, "attention": 0.3, "attention.out": 0.2, "feed_forward": 0.2, "head": 0.4},
        ),
        (
            "roberta",
            "sequence-classification",
            {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.3, "classifier_dropout": 0.4},
            {"embeddings": 0.2, "attention": 0.3, "attention.out": 0.2, "feed_forward": 0.2, "pooler": 0.4, "head": 0.4},
        ),
        (
            "roberta",
            "multiple-choice",
            {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.4},
            {"embeddings": 0.2, "attention.out": 0.2, "feed_forward": 0.2, "head": 0.2},
        ),
        (
            "mpnet",
            "sequence-classification",
            {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.3, "classifier_dropout": 0.4},
            {"embeddings": 0.2, "attention": 0.3, "attention.out": 0.2, "feed_forward": 0.2, "pooler": 0.2, "head": 0.2},
        ),
        (
            "distilbert",
            "sequence-classification",
            {"dropout": 0.2, "attention_dropout": 0.3, "seq_classif_dropout": 0.4, "qa_dropout": 0.5},
            {"embeddings": 0.2, "attention": 0.3, "feed_forward": 0.2, "head": 0.4},
        ),
        (
            "distilbert",
            "question-answering",
            {"dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.4, "qa_dropout": 0.5},
            {"head": 0.5},
        ),
        (
            "electra",
            "multiple-choice",
            {
                "hidden_dropout_prob": 0.0,
                "attention_probs_dropout_prob": 0.0,
                "summary_first_dropout": 0.4,
                "summary_last_dropout": 0.5,
            },
            {"pooler": 0.4, "head": 0.5},
        ),
        (
            "deberta-v2",
            "sequence-classification",
            DEBERTA_V3
            | {
                "hidden_dropout_prob": 0.2,
                "attention_probs_dropout_prob": 0.3,
                "pooler_dropout": 0.4,
                "cls_dropout": 0.5,
                "conv_kernel_size": 3,
            },
            {
                "embeddings": 0.2,
                "attention": 0.3,
                "attention.out": 0.2,
                "attention.positions": 0.2,
                "feed_forward": 0.2,
                "convolution": 0.2,
                "pooler": 0.4,
                "head": 0.5,
            },
        ),
        (
            "deberta",
            "token-classification",
            {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.0, "cls_dropout": 0.5},
            {"embeddings": 0.2, "attention.out": 0.2, "feed_forward": 0.2, "head": 0.2},
        ),
        (
            "modernbert",
            "token-classification",
            {"embedding_dropout": 0.2, "attention_dropout": 0.3, "mlp_dropout": 0.4, "classifier_dropout": 0.5},
            {"embeddings": 0.2, "attention": 0.3, "attention.out": 0.3, "feed_forward.inner": 0.4, "head": 0.5},
        ),
    ],
)
def test_each_dropout_stands_where_transformers_has_it(model_type, head, settings, expected):
    found = family(model_type)
    described = dropouts(found.architecture(found.config(**settings), head))
    short = {
        name.removeprefix("encoder.").removeprefix("layer.").removesuffix("dropout"): rate for name, rate in described.items()
    }
    assert {name.rstrip("._"): rate for name, rate in short.items()} == expected
