"""DeBERTa v2 and v3. He et al., 2021, arXiv:2006.03654; He et al., 2023, arXiv:2111.09543."""

from dataclasses import replace

from headway.architecture import (
    Architecture,
    Convolution,
    Disentangled,
    Family,
    Head,
    ModelConfig,
    Norm,
    Rename,
    ReplacedTokenHead,
    SentencePieceForm,
    TokenizerDefaults,
    Transform,
    WeightNames,
)
from headway.architecture.family import HeadName
from headway.errors import ConfigError
from headway.families import _deberta, _names, _tokens
from headway.families import _heads as heads
from headway.families import _standard as standard


def build(config: ModelConfig, head: HeadName) -> Architecture:
    """The architecture of a DeBERTa v2 or v3 checkpoint."""
    check_head_size(config)
    layer = standard.layer(config, positions=positions(config))
    found = _deberta.build(config, head, layer=layer, own=replaced_token(config) if head == "replaced-token" else None)
    return replace(found, encoder=replace(found.encoder, convolution=convolution(config)))


def check_head_size(config: ModelConfig) -> None:
    """Refuse attention whose heads together are not as wide as the encoder."""
    standard.check_heads(config)
    usual = config.hidden_size // config.num_attention_heads
    if config.attention_head_size not in (None, usual):
        raise ConfigError(
            f"attention_head_size is {config.attention_head_size} in config.json, but hidden_size divided by "
            f"num_attention_heads is {usual}, and the heads here are that wide. Use a checkpoint where the two agree."
        )


def positions(config: ModelConfig) -> Disentangled | None:
    """Relative positions, in buckets where ``position_buckets`` says how many; None where a file asks for none."""
    if not (terms := _deberta.terms(config)):
        return None
    buckets = config.position_buckets
    return Disentangled(
        span=buckets if buckets > 0 else _deberta.span(config),
        max_distance=_deberta.span(config) if buckets > 0 else None,
        terms=terms,
        shared=config.share_att_key,
        key_bias=True,
        norm=table_norm(config),
        dropout=config.hidden_dropout_prob,
    )


def table_norm(config: ModelConfig) -> Norm | None:
    """The normalisation of the table of relative positions."""
    known = ("none", "layer_norm")
    standard.one_of(config, "norm_rel_ebd", known, why="Another normalisation of relative positions would change every score.")
    return standard.norm(config) if config.norm_rel_ebd == "layer_norm" else None


def convolution(config: ModelConfig) -> Convolution | None:
    """The convolution beside the first layer, where a file gives it a size."""
    size = config.conv_kernel_size
    if not size:
        return None
    if size % 2 == 0:
        raise ConfigError(
            f"conv_kernel_size is {size} in config.json; only an odd size has a middle, which stands on the token itself. "
            "Use a checkpoint with such a one."
        )
    return Convolution(
        kernel_size=size,
        groups=config.conv_groups,
        activation=standard.activation(config, "conv_act"),
        norm=standard.norm(config),
        dropout=config.hidden_dropout_prob,
    )


def replaced_token(config: ModelConfig) -> Head:
    """The discriminator's head of v3, as in Microsoft's repository: ``LMMaskPredictionHead``."""
    transform = Transform(size=config.hidden_size, activation=standard.activation(config))
    return ReplacedTokenHead(transform=transform, first_norm=standard.norm(config))


ATTENTION = "encoder.layer.{i}.attention.self"
REPLACED_TOKEN_NAMES = (
    Rename("mask_predictions.LayerNorm", "head.first_norm"),
    Rename("mask_predictions.dense", "head.dense"),
    Rename("mask_predictions.classifier", "head.classifier"),
)


def names(config: ModelConfig, head: HeadName) -> WeightNames:
    """The Hub's names of a DeBERTa v2 or v3 checkpoint's weights."""
    base = (
        Rename("encoder.rel_embeddings", "relative"),
        Rename("encoder.LayerNorm", "relative.norm"),
        Rename("encoder.conv.conv", "convolution.conv"),
        Rename("encoder.conv.LayerNorm", "convolution.norm"),
        _names.qkv_names("self.query_proj", "self.key_proj", "self.value_proj"),
        Rename(f"{ATTENTION}.pos_key_proj", "layers.{i}.attention.position_key"),
        Rename(f"{ATTENTION}.pos_query_proj", "layers.{i}.attention.position_query"),
        *_names.LAYER_NAMES,
    )
    return _deberta.names(config, head, base=base, own=REPLACED_TOKEN_NAMES if head == "replaced-token" else None)


FAMILY = Family(
    model_type="deberta-v2",
    class_prefix="DebertaV2",
    heads=(*heads.USUAL, "replaced-token"),
    defaults={
        **_deberta.DEFAULTS,
        "vocab_size": 128100,
        "hidden_size": 1536,
        "num_hidden_layers": 24,
        "num_attention_heads": 24,
        "intermediate_size": 6144,
        "attention_head_size": None,
        "position_buckets": -1,
        "share_att_key": False,
        "norm_rel_ebd": "none",
        "conv_kernel_size": 0,
        "conv_groups": 1,
        "conv_act": "tanh",
    },
    build=build,
    names=names,
    tokenizer=TokenizerDefaults(
        class_name="DebertaV2Tokenizer",
        algorithm="sentencepiece",
        special_tokens=_tokens.DEBERTA_TOKENS,
        lowercase=False,
        normalized=("unk_token",),
        appended=("mask_token",),
        files=("spm.model",),
        pieces=SentencePieceForm(normalization=("lowercase", "strip", "character-map", "join-spaces"), split_by_punct=False),
    ),
    required=_deberta.REQUIRED,
    irrelevant=_deberta.IRRELEVANT,
)
