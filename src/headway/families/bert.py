"""BERT. Devlin et al., 2019, arXiv:1810.04805."""

from headway.architecture import (
    Architecture,
    Embeddings,
    Encoder,
    Family,
    FeedForward,
    Fuse,
    Layer,
    MaskedLanguageModelHead,
    ModelConfig,
    Pooler,
    Rename,
    SelfAttention,
    SequenceClassificationHead,
    TokenizerDefaults,
    WeightNames,
)
from headway.architecture.family import HeadName
from headway.architecture.parts import Activation, Head
from headway.errors import ConfigError

ACTIVATIONS: dict[str, Activation] = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu"}

DEFAULTS = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
    "classifier_dropout": None,
}


def build(config: ModelConfig, head: HeadName) -> Architecture:
    """The architecture of a BERT checkpoint. A masked LM has no pooler; the base model and the classifier have one."""
    pooler = None if head == "masked-lm" else Pooler(activation="tanh")
    return Architecture(encoder=_encoder(config), pooler=pooler, head=_head(config, head))


def _encoder(config: ModelConfig) -> Encoder:
    if not config.num_attention_heads or config.hidden_size % config.num_attention_heads:
        raise ConfigError(
            f"hidden_size ({config.hidden_size}) is not a multiple of num_attention_heads ({config.num_attention_heads}), so "
            "the heads "
            "cannot share it equally. Change one of them."
        )
    layer = Layer(
        attention=SelfAttention(num_heads=config.num_attention_heads, dropout=config.attention_probs_dropout_prob),
        feed_forward=FeedForward(intermediate_size=config.intermediate_size, activation=_activation(config)),
        norm_eps=config.layer_norm_eps,
        dropout=config.hidden_dropout_prob,
    )
    embeddings = Embeddings(
        vocab_size=config.vocab_size,
        max_positions=config.max_position_embeddings,
        token_types=config.type_vocab_size,
        norm_eps=config.layer_norm_eps,
        dropout=config.hidden_dropout_prob,
        padding_id=config.pad_token_id,
    )
    return Encoder(hidden_size=config.hidden_size, embeddings=embeddings, layers=(layer,) * config.num_hidden_layers)


def _head(config: ModelConfig, head: HeadName) -> Head | None:
    match head:
        case "base":
            return None
        case "sequence-classification":
            dropout = config.hidden_dropout_prob if config.classifier_dropout is None else config.classifier_dropout
            return SequenceClassificationHead(num_labels=config.num_labels, dropout=dropout)
        case "masked-lm":
            return MaskedLanguageModelHead(
                vocab_size=config.vocab_size, activation=_activation(config), norm_eps=config.layer_norm_eps
            )


def _activation(config: ModelConfig) -> Activation:
    if config.hidden_act not in ACTIVATIONS:
        raise ConfigError(
            f"hidden_act is {config.hidden_act!r}; known are {', '.join(ACTIVATIONS)}. Another activation would change every "
            "answer."
        )
    return ACTIVATIONS[config.hidden_act]


NAMES = WeightNames(
    base=(
        Rename("embeddings.word_embeddings", "embeddings.token"),
        Rename("embeddings.position_embeddings", "embeddings.position"),
        Rename("embeddings.token_type_embeddings", "embeddings.token_type"),
        Rename("embeddings.LayerNorm", "embeddings.norm"),
        Fuse(
            (
                "encoder.layer.{i}.attention.self.query",
                "encoder.layer.{i}.attention.self.key",
                "encoder.layer.{i}.attention.self.value",
            ),
            "layers.{i}.attention.qkv",
        ),
        Rename("encoder.layer.{i}.attention.output.dense", "layers.{i}.attention.out"),
        Rename("encoder.layer.{i}.attention.output.LayerNorm", "layers.{i}.attention_norm"),
        Rename("encoder.layer.{i}.intermediate.dense", "layers.{i}.feed_forward.up"),
        Rename("encoder.layer.{i}.output.dense", "layers.{i}.feed_forward.down"),
        Rename("encoder.layer.{i}.output.LayerNorm", "layers.{i}.feed_forward_norm"),
        Rename("pooler.dense", "pooler.dense"),
    ),
    heads=(
        Rename("classifier", "head.classifier"),
        Rename("cls.predictions.transform.dense", "head.dense"),
        Rename("cls.predictions.transform.LayerNorm", "head.norm"),
        Rename("cls.predictions.bias", "head.decoder.bias"),
    ),
    prefix="bert.",
    ignored=(r"embeddings\.position_ids$", r"^cls\.predictions\.decoder\.", r"^cls\.seq_relationship\."),
)

FAMILY = Family(
    model_type="bert",
    defaults=DEFAULTS,
    build=build,
    names=NAMES,
    class_names={
        "base": "BertModel",
        "sequence-classification": "BertForSequenceClassification",
        "masked-lm": "BertForMaskedLM",
    },
    tokenizer=TokenizerDefaults(
        algorithm="wordpiece",
        special_tokens={
            "unk_token": "[UNK]",
            "sep_token": "[SEP]",
            "pad_token": "[PAD]",
            "cls_token": "[CLS]",
            "mask_token": "[MASK]",
        },
        lowercase=True,
    ),
    required={
        "position_embedding_type": "absolute",
        "is_decoder": False,
        "add_cross_attention": False,
        "tie_word_embeddings": True,
    },
)
