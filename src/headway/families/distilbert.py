"""DistilBERT. Sanh et al., 2019, arXiv:1910.01108."""

from dataclasses import replace

from headway.architecture import (
    Architecture,
    Family,
    Head,
    ModelConfig,
    MultipleChoiceHead,
    Positions,
    QuestionAnsweringHead,
    Rename,
    SequenceClassificationHead,
    TokenizerDefaults,
    WeightNames,
)
from headway.architecture.family import HeadName
from headway.architecture.names import Fuse
from headway.architecture.tokenizer import UNTYPED_INPUTS
from headway.families import _heads as heads
from headway.families import _names, _tokens
from headway.families import _standard as standard


def build(config: ModelConfig, head: HeadName) -> Architecture:
    """The architecture of a DistilBERT checkpoint: BERT's without token types, without dropout after attention."""
    config = in_berts_words(config)
    parts = standard.embeddings(config, positions=Positions(count=config.max_position_embeddings))
    layer = standard.layer(config)
    layer = replace(layer, attention=replace(layer.attention, out_dropout=0.0))
    pooled = head in ("sequence-classification", "multiple-choice")
    return Architecture(
        encoder=standard.encoder(config, parts, layer),
        pooler=heads.pooler(config, act="relu") if pooled else None,
        head=own_head(config, head),
    )


def in_berts_words(config: ModelConfig) -> ModelConfig:
    """The same settings under BERT's keys."""
    standard.check_heads(config, hidden="dim", heads="n_heads")
    standard.activation(config, "activation")
    return config.replace(
        hidden_size=config.dim,
        num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads,
        intermediate_size=config.hidden_dim,
        hidden_act=config.activation,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.attention_dropout,
        type_vocab_size=0,
        layer_norm_eps=1e-12,
        classifier_dropout=None,
    )


def own_head(config: ModelConfig, head: HeadName) -> Head | None:
    """BERT's heads with dropouts of their own."""
    match head:
        case "sequence-classification":
            return SequenceClassificationHead(num_labels=config.num_labels, dropout=config.seq_classif_dropout)
        case "multiple-choice":
            return MultipleChoiceHead(dropout=config.seq_classif_dropout)
        case "question-answering":
            heads.check_two_labels(config)
            return QuestionAnsweringHead(dropout=config.qa_dropout)
        case _:
            return heads.head(config, head)


LAYER = "transformer.layer.{i}"
CLASSIFIER_NAMES = (Rename("pre_classifier", "pooler.dense"), _names.CLASSIFIER_NAME)
HEAD_NAMES = {
    **_names.HEAD_NAMES,
    "sequence-classification": CLASSIFIER_NAMES,
    "multiple-choice": CLASSIFIER_NAMES,
    "masked-lm": (
        Rename("vocab_transform", "head.dense"),
        Rename("vocab_layer_norm", "head.norm"),
        Rename("vocab_projector.bias", "head.decoder.bias"),
    ),
}


def names(config: ModelConfig, head: HeadName) -> WeightNames:
    """The Hub's names of a DistilBERT checkpoint's weights."""
    return WeightNames(
        base=(
            *_names.EMBEDDING_NAMES,
            Fuse(tuple(f"{LAYER}.attention.{part}_lin" for part in "qkv"), "layers.{i}.attention.qkv"),
            Rename(f"{LAYER}.attention.out_lin", "layers.{i}.attention.out"),
            Rename(f"{LAYER}.sa_layer_norm", "layers.{i}.attention_norm"),
            Rename(f"{LAYER}.ffn.lin1", "layers.{i}.feed_forward.up"),
            Rename(f"{LAYER}.ffn.lin2", "layers.{i}.feed_forward.down"),
            Rename(f"{LAYER}.output_layer_norm", "layers.{i}.feed_forward_norm"),
        ),
        heads=HEAD_NAMES.get(head, ()),
        prefix="distilbert.",
        ignored=(_names.STRAY_POSITIONS,),
        tied=(("vocab_projector.weight", _names.TOKEN_TABLE),),
    )


FAMILY = Family(
    model_type="distilbert",
    class_prefix="DistilBert",
    heads=heads.USUAL,
    defaults={
        "vocab_size": 30522,
        "max_position_embeddings": 512,
        "n_layers": 6,
        "n_heads": 12,
        "dim": 768,
        "hidden_dim": 3072,
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "activation": "gelu",
        "initializer_range": 0.02,
        "qa_dropout": 0.1,
        "seq_classif_dropout": 0.2,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
    },
    aliases={"hidden_size": "dim", "num_attention_heads": "n_heads", "num_hidden_layers": "n_layers"},
    build=build,
    names=names,
    tokenizer=TokenizerDefaults(
        class_name="DistilBertTokenizer",
        algorithm="wordpiece",
        special_tokens=_tokens.BERT_TOKENS,
        lowercase=True,
        model_input_names=UNTYPED_INPUTS,
    ),
    required=standard.ENCODER_ONLY,
    irrelevant=(*standard.IRRELEVANT, "sinusoidal_pos_embds", "tie_weights_"),
)
