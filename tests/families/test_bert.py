import pytest

from headway.architecture import weight_shapes
from headway.errors import ConfigError
from headway.families import family, model_types

BERT = family("bert")


def test_bert_is_known_and_found_by_its_model_type():
    assert "bert" in model_types()
    assert BERT.model_type == "bert"


@pytest.mark.parametrize(
    ("model_type", "answer"), [("brt", "Did you mean 'bert'"), ("llama", "Known: .*bert"), ("__init__", "Known")]
)
def test_an_unknown_family_is_an_error_that_says_which_are_known(model_type, answer):
    with pytest.raises(ConfigError, match=f"model_type '{model_type}' is not a family that Headway knows.*{answer}"):
        family(model_type)


def test_bert_base_has_the_published_number_of_parameters():
    """109,482,240 for bert-base-uncased with its pooler."""
    shapes = weight_shapes(BERT.architecture(BERT.config(), "base"))
    total = sum(shape[0] * (shape[1] if len(shape) == 2 else 1) for shape in shapes.values())
    assert total == 109_482_240


def test_every_weight_of_every_head_has_names_on_the_hub(tiny_config):
    config = tiny_config.replace(num_labels=2)
    for head in BERT.heads:
        names = [
            their
            for name in weight_shapes(BERT.architecture(config, head))
            for their in BERT.weight_names(config, head).names_of(name, has_head=head != "base")
        ]
        assert len(names) == len(set(names))


@pytest.mark.parametrize(("heads", "hidden"), [(3, 28), (0, 28), (5, 28)])
def test_heads_that_cannot_share_the_hidden_size_are_an_error(tiny_config, heads, hidden):
    with pytest.raises(ConfigError, match=rf"hidden_size \({hidden}\) is not a multiple of num_attention_heads \({heads}\)"):
        BERT.architecture(tiny_config.replace(num_attention_heads=heads), "base")


@pytest.mark.parametrize(
    ("name", "activation"), [("gelu", "gelu"), ("gelu_new", "gelu_tanh"), ("gelu_pytorch_tanh", "gelu_tanh"), ("relu", "relu")]
)
def test_activations(tiny_config, name, activation):
    architecture = BERT.architecture(tiny_config.replace(hidden_act=name), "masked-lm")
    assert architecture.encoder.layers[0].feed_forward.activation == activation
    assert architecture.head.transform.activation == activation


def test_an_unknown_activation_is_an_error_that_lists_the_known_ones(tiny_config):
    with pytest.raises(
        ConfigError, match=r"hidden_act is 'mish'; known are gelu, gelu_python, gelu_fast, gelu_new, .*tanh, relu, silu, swish, t"
    ):
        BERT.architecture(tiny_config.replace(hidden_act="mish"), "base")


@pytest.mark.parametrize(("classifier_dropout", "expected"), [(None, 0.3), (0.0, 0.0), (0.7, 0.7)])
def test_the_classifier_has_its_own_dropout_or_else_the_encoder_s(tiny_config, classifier_dropout, expected):
    config = tiny_config.replace(hidden_dropout_prob=0.3, classifier_dropout=classifier_dropout)
    assert BERT.architecture(config, "sequence-classification").head.dropout == expected


def test_layers_are_as_the_configuration_says(tiny_config):
    config = tiny_config.replace(hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.2, layer_norm_eps=1e-5, pad_token_id=4)
    encoder = BERT.architecture(config, "base").encoder
    assert len(encoder.layers) == 3
    assert (
        encoder.layers[0].attention.num_heads,
        encoder.layers[0].attention.dropout,
        encoder.layers[0].feed_forward.dropout,
    ) == (
        4,
        0.2,
        0.3,
    )
    assert (encoder.embeddings.norm.eps, encoder.layers[0].attention_norm.eps, encoder.embeddings.padding_id) == (1e-5, 1e-5, 4)
