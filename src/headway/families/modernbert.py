"""ModernBERT. Warner et al., 2024, arXiv:2412.13663."""

from dataclasses import replace
from typing import Any

from headway.architecture import (
    Architecture,
    Embeddings,
    Encoder,
    Family,
    FeedForward,
    Head,
    Layer,
    MaskedLanguageModelHead,
    ModelConfig,
    Norm,
    Pooler,
    QuestionAnsweringHead,
    Rename,
    SelfAttention,
    TokenClassificationHead,
    TokenizerDefaults,
    Transform,
    WeightNames,
)
from headway.architecture.family import HeadName
from headway.architecture.initial import scaled_by_depth
from headway.architecture.tokenizer import UNTYPED_INPUTS
from headway.families import _heads as heads
from headway.families import _names, _rotary, _tokens
from headway.families import _standard as standard

POOLED = ("sequence-classification", "multiple-choice")


def build(config: ModelConfig, head: HeadName) -> Architecture:
    """The architecture of a ModernBERT checkpoint: pre-norm layers, most of which see a window only."""
    standard.check_heads(config)
    encoder = Encoder(
        hidden_size=config.hidden_size,
        max_tokens=config.max_position_embeddings,
        embeddings=embeddings(config),
        layers=tuple(layer(config, kind, first=index == 0) for index, kind in enumerate(_rotary.kinds(config))),
        final_norm=norm(config),
    )
    return Architecture(encoder=encoder, pooler=pooler(config) if head in POOLED else None, head=own_head(config, head))


def norm(config: ModelConfig) -> Norm:
    """The normalisation that all parts have."""
    return Norm(eps=config.norm_eps, bias=config.norm_bias)


def embeddings(config: ModelConfig) -> Embeddings:
    """Token vectors only, normalised."""
    in_berts_words = config.replace(
        type_vocab_size=0, layer_norm_eps=config.norm_eps, hidden_dropout_prob=config.embedding_dropout
    )
    return replace(standard.embeddings(in_berts_words, positions=None), norm=norm(config))


def layer(config: ModelConfig, kind: str, *, first: bool) -> Layer:
    """One layer; the first has no norm before attention, because the embeddings are normalised already."""
    attention = SelfAttention(
        num_heads=config.num_attention_heads,
        dropout=config.attention_dropout,
        out_dropout=config.attention_dropout,
        bias="all" if config.attention_bias else "none",
        out_bias=config.attention_bias,
        window=config.local_attention // 2 if kind == _rotary.WINDOW else None,
        positions=_rotary.positions(config, kind),
    )
    act = standard.activation(config, "hidden_activation")
    feed_forward = FeedForward(
        intermediate_size=config.intermediate_size, activation=act, gated=True, bias=config.mlp_bias, dropout=0.0
    )
    return Layer(
        attention=attention,
        attention_norm=None if first else norm(config),
        feed_forward=replace(feed_forward, inner_dropout=config.mlp_dropout),
        feed_forward_norm=norm(config),
        norm_first=True,
    )


def transform(config: ModelConfig) -> Transform:
    """The map before every head's last one."""
    act = standard.activation(config, "classifier_activation")
    return Transform(size=config.hidden_size, activation=act, bias=config.classifier_bias, norm=norm(config))


def pooler(config: ModelConfig) -> Pooler:
    """The first token's vector or the mean of all, through the transform."""
    standard.one_of(config, "classifier_pooling", ("cls", "mean"), why="Another pooling would change every answer.")
    return Pooler(transform=transform(config), pooling="first" if config.classifier_pooling == "cls" else "mean")


def own_head(config: ModelConfig, head: HeadName) -> Head | None:
    """The usual heads; those for tokens transform each of them as the pooler does a text."""
    if head == "masked-lm":
        heads.check_tied(config)
        return MaskedLanguageModelHead(vocab_size=config.vocab_size, transform=transform(config), bias=config.decoder_bias)
    usual = heads.head(config, head)
    if isinstance(usual, TokenClassificationHead | QuestionAnsweringHead):
        return replace(usual, transform=transform(config), dropout=config.classifier_dropout)
    return usual


BASE_NAMES = (
    Rename("embeddings.tok_embeddings", "embeddings.token"),
    Rename("embeddings.norm", "embeddings.norm"),
    Rename("layers.{i}.attn_norm", "layers.{i}.attention_norm"),
    Rename("layers.{i}.attn.Wqkv", "layers.{i}.attention.qkv"),
    Rename("layers.{i}.attn.Wo", "layers.{i}.attention.out"),
    Rename("layers.{i}.mlp_norm", "layers.{i}.feed_forward_norm"),
    Rename("layers.{i}.mlp.Wi", "layers.{i}.feed_forward.up"),
    Rename("layers.{i}.mlp.Wo", "layers.{i}.feed_forward.down"),
    Rename("final_norm", "final_norm"),
)


def names(config: ModelConfig, head: HeadName) -> WeightNames:
    """The Hub's names of a ModernBERT checkpoint's weights."""
    place = "pooler" if head in POOLED else "head"
    transform = (Rename("head.dense", f"{place}.dense"), Rename("head.norm", f"{place}.norm"))
    last = Rename("decoder.bias", "head.decoder.bias") if head == "masked-lm" else _names.CLASSIFIER_NAME
    own = () if head == "base" else (*transform, last)
    return WeightNames(
        base=BASE_NAMES, heads=own, prefix="model.", tied=(("decoder.weight", "embeddings.tok_embeddings.weight"),)
    )


DEFAULTS: dict[str, Any] = {
    **standard.picked("hidden_size", "num_attention_heads", "initializer_range", "tie_word_embeddings"),
    "vocab_size": 50368,
    "intermediate_size": 1152,
    "num_hidden_layers": 22,
    "hidden_activation": "gelu",
    "max_position_embeddings": 8192,
    "norm_eps": 1e-5,
    "pad_token_id": 50283,
    **dict.fromkeys(("layer_types", "rope_parameters"), None),
    "global_rope_theta": 160000.0,
    "local_rope_theta": 10000.0,
    "global_attn_every_n_layers": 3,
    "local_attention": 128,
    **dict.fromkeys(("attention_bias", "classifier_bias", "mlp_bias", "norm_bias"), False),
    **dict.fromkeys(("attention_dropout", "classifier_dropout", "embedding_dropout", "mlp_dropout"), 0.0),
    "decoder_bias": True,
    "classifier_pooling": "cls",
    "classifier_activation": "gelu",
}
FLASH_ATTENTION = ("deterministic_flash_attn", "reference_compile", "repad_logits_with_grad")
LOSS = ("sparse_prediction", "sparse_pred_ignore_index")

FAMILY = Family(
    model_type="modernbert",
    class_prefix="ModernBert",
    heads=heads.USUAL,
    pretraining=None,
    defaults=DEFAULTS,
    build=build,
    names=names,
    begins=scaled_by_depth,
    tokenizer=TokenizerDefaults(
        algorithm=None,
        special_tokens=_tokens.BERT_TOKENS,
        lowercase=False,
        model_input_names=UNTYPED_INPUTS,
        lstrip=("mask_token",),
    ),
    required={**standard.ENCODER_ONLY, "rope_scaling": None},
    irrelevant=(
        *standard.IRRELEVANT,
        *FLASH_ATTENTION,
        *LOSS,
        "initializer_cutoff_factor",  # of what a model computes: new weights are drawn with it
        "layer_norm_eps",
        "position_embedding_type",
    ),
)
