"""MPNet. Song et al., 2020, arXiv:2004.09297."""

from headway.architecture import (
    Architecture,
    BucketBias,
    Family,
    ModelConfig,
    Rename,
    TokenizerDefaults,
    WeightNames,
)
from headway.architecture.family import HeadName
from headway.architecture.tokenizer import UNTYPED_INPUTS
from headway.families import _heads as heads
from headway.families import _names, _roberta, _tokens
from headway.families import _standard as standard

PADDING_ID = 1
"""Positions count from after this id, whatever ``pad_token_id`` is."""

BUCKETS = 32
"""transformers looks the buckets of 32 up, whatever the size of the table."""


def build(config: ModelConfig, head: HeadName) -> Architecture:
    """The architecture of an MPNet checkpoint: RoBERTa's without token types, with a bias for each distance."""
    config = config.replace(type_vocab_size=0, pad_token_id=PADDING_ID, classifier_dropout=None)
    bias = BucketBias(buckets=BUCKETS, max_distance=128)
    return _roberta.build(config, head, relative=bias)


LAYER = "encoder.layer.{i}"


def names(config: ModelConfig, head: HeadName) -> WeightNames:
    """The Hub's names of an MPNet checkpoint's weights."""
    base = (
        *_names.EMBEDDING_NAMES,
        Rename("encoder.relative_attention_bias", "relative"),
        _names.qkv_names("attn.q", "attn.k", "attn.v"),
        Rename(f"{LAYER}.attention.attn.o", "layers.{i}.attention.out"),
        Rename(f"{LAYER}.attention.LayerNorm", "layers.{i}.attention_norm"),
        *_names.FEED_FORWARD_NAMES,
    )
    return _roberta.names(config, head, base=base, prefix="mpnet.")


DEFAULTS = {key: value for key, value in standard.BERT_DEFAULTS.items() if key not in ("type_vocab_size", "classifier_dropout")}

FAMILY = Family(
    model_type="mpnet",
    class_prefix="MPNet",
    heads=heads.USUAL,
    defaults={**DEFAULTS, "vocab_size": 30527, "pad_token_id": 1},
    build=build,
    names=names,
    tokenizer=TokenizerDefaults(
        class_name="MPNetTokenizer",
        algorithm="wordpiece",
        special_tokens={**_tokens.ROBERTA_TOKENS, "unk_token": "[UNK]"},
        lowercase=True,
        template="mpnet",
        model_input_names=UNTYPED_INPUTS,
        lstrip=("mask_token",),
    ),
    required={**standard.ENCODER_ONLY, "relative_attention_num_buckets": BUCKETS},
    irrelevant=standard.IRRELEVANT,
)
