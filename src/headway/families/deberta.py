"""DeBERTa, the first version. He et al., 2021, arXiv:2006.03654."""

from headway.architecture import (
    Architecture,
    Disentangled,
    Family,
    Interleave,
    ModelConfig,
    Rename,
    TokenizerDefaults,
    WeightNames,
)
from headway.architecture.family import HeadName
from headway.families import _deberta, _names, _tokens
from headway.families import _heads as heads
from headway.families import _standard as standard


def build(config: ModelConfig, head: HeadName) -> Architecture:
    """The architecture of a DeBERTa checkpoint: queries and values have biases, keys have none."""
    positions = None
    if terms := _deberta.terms(config):
        positions = Disentangled(
            span=_deberta.span(config),
            max_distance=None,
            terms=terms,
            shared=False,
            key_bias=False,
            norm=None,
            dropout=config.hidden_dropout_prob,
        )
    return _deberta.build(config, head, layer=standard.layer(config, bias="query-value", positions=positions))


ATTENTION = "encoder.layer.{i}.attention.self"


def names(config: ModelConfig, head: HeadName) -> WeightNames:
    """The Hub's names of a DeBERTa checkpoint's weights; query, key and value rows of each head lie together there."""
    base = (
        Rename("encoder.rel_embeddings", "relative"),
        Interleave(f"{ATTENTION}.in_proj", "layers.{i}.attention.qkv", heads=config.num_attention_heads),
        Rename(f"{ATTENTION}.q_bias", "layers.{i}.attention.query_bias"),
        Rename(f"{ATTENTION}.v_bias", "layers.{i}.attention.value_bias"),
        Rename(f"{ATTENTION}.pos_proj", "layers.{i}.attention.position_key"),
        Rename(f"{ATTENTION}.pos_q_proj", "layers.{i}.attention.position_query"),
        *_names.LAYER_NAMES,
    )
    return _deberta.names(config, head, base=base)


FAMILY = Family(
    model_type="deberta",
    class_prefix="Deberta",
    heads=tuple(head for head in heads.USUAL if head != "multiple-choice"),
    defaults={**_deberta.DEFAULTS, "vocab_size": 50265},
    build=build,
    names=names,
    tokenizer=TokenizerDefaults(
        class_name="DebertaTokenizer",
        algorithm="byte-level-bpe",
        special_tokens=_tokens.DEBERTA_TOKENS,
        lowercase=False,
        lstrip=("mask_token",),
        normalized=("mask_token",),
    ),
    required=_deberta.REQUIRED,
    irrelevant=_deberta.IRRELEVANT,
)
