"""What both DeBERTas share: their settings, their embeddings and all heads but replaced-token detection."""

from collections.abc import Mapping
from typing import Any

from headway.architecture import (
    Architecture,
    Embeddings,
    Head,
    Layer,
    ModelConfig,
    Pooler,
    Positions,
    Projection,
    Rename,
    Rule,
    TokenClassificationHead,
    WeightNames,
)
from headway.architecture.family import HeadName
from headway.architecture.parts import PositionTerm
from headway.errors import ConfigError
from headway.families import _heads as heads
from headway.families import _names
from headway.families import _standard as standard

DEFAULTS: Mapping[str, Any] = {
    **{name: value for name, value in standard.BERT_DEFAULTS.items() if name != "classifier_dropout"},
    "type_vocab_size": 0,
    "layer_norm_eps": 1e-7,
    "relative_attention": False,
    "max_relative_positions": -1,
    "position_biased_input": True,
    "pos_att_type": None,
    "embedding_size": None,
    "pooler_hidden_size": None,
    "pooler_dropout": 0.0,
    "pooler_hidden_act": "gelu",
    "cls_dropout": None,
    "legacy": True,
}
REQUIRED: Mapping[str, Any] = {**standard.ENCODER_ONLY, "talking_head": False}
IRRELEVANT = (*standard.IRRELEVANT, "padding_idx")

TERMS: Mapping[str, PositionTerm] = {"c2p": "content-to-position", "p2c": "position-to-content"}


def terms(config: ModelConfig) -> tuple[PositionTerm, ...]:
    """The scores with relative positions that ``pos_att_type`` names, as a list or separated by bars."""
    found = config.pos_att_type or []
    named = [name.strip() for name in found.lower().split("|")] if isinstance(found, str) else list(found)
    unknown = sorted({name for name in named if name} - TERMS.keys())
    if unknown or bool(named) != config.relative_attention:
        raise ConfigError(
            f"relative_attention is {config.relative_attention} and pos_att_type {config.pos_att_type!r} in config.json. "
            'Supported are false with none, and true with c2p, p2c or both ("c2p|p2c"); others change every score.'
        )
    return tuple(term for name, term in TERMS.items() if name in named)


def span(config: ModelConfig) -> int:
    """The largest distance that ``max_relative_positions`` tells apart, which may leave it to the number of positions."""
    found = config.max_relative_positions
    return int(found if found >= 1 else config.max_position_embeddings)


def width(config: ModelConfig) -> int:
    """The width of the token table."""
    return int(config.embedding_size or config.hidden_size)


def embeddings(config: ModelConfig) -> Embeddings:
    """Embeddings that have absolute positions only with ``position_biased_input``."""
    positions = Positions(count=config.max_position_embeddings) if config.position_biased_input else None
    projection = Projection(bias=False, before_norm=True)
    return standard.embeddings(config, positions=positions, size=width(config), projection=projection)


def build(config: ModelConfig, head: HeadName, *, layer: Layer, own: Head | None = None) -> Architecture:
    """The architecture with these layers; ``own`` is a head that only one of the two has."""
    pooled = head in ("sequence-classification", "multiple-choice")
    return Architecture(
        encoder=standard.encoder(config, embeddings(config), layer),
        pooler=pooler(config) if pooled else None,
        head=own or own_head(config, head),
    )


def pooler(config: ModelConfig) -> Pooler:
    """The first token's vector through a map, which belongs to the head and not to the encoder."""
    if config.pooler_hidden_size not in (None, config.hidden_size):
        raise ConfigError(
            f"pooler_hidden_size is {config.pooler_hidden_size} in config.json, but the pooler reads vectors of hidden_size "
            f"{config.hidden_size}. Make them equal."
        )
    act = standard.activation(config, "pooler_hidden_act")
    return heads.pooler(config, act=act, dropout=config.pooler_dropout)


def own_head(config: ModelConfig, head: HeadName) -> Head | None:
    """BERT's heads with DeBERTa's dropouts."""
    dropout = config.hidden_dropout_prob if config.cls_dropout is None else config.cls_dropout
    match head:
        case "token-classification":
            return TokenClassificationHead(num_labels=config.num_labels, dropout=config.hidden_dropout_prob)
        case "masked-lm":
            always_tied = config if config.legacy else config.replace(tie_word_embeddings=True)
            return heads.masked_lm(always_tied, size=width(config))
        case _:
            return heads.head(config.replace(classifier_dropout=dropout), head)


EMBEDDING_NAMES: tuple[Rule, ...] = (*_names.EMBEDDING_NAMES, Rename("embeddings.embed_proj", "embeddings.projection"))
MICROSOFT_NAMES = (
    Rename("lm_predictions.lm_head.dense", "head.dense"),
    Rename("lm_predictions.lm_head.LayerNorm", "head.norm"),
    Rename("lm_predictions.lm_head.bias", "head.decoder.bias"),
)
"""The masked LM in Microsoft's own files, and in transformers without ``legacy``."""

POOLED_NAMES = (_names.POOLER_NAME, _names.CLASSIFIER_NAME)
UNUSED_POSITIONS = r"^(deberta\.)?embeddings\.position_embeddings\."
"""Published checkpoints have position vectors for pre-training that the encoder itself does not add."""


def names(config: ModelConfig, head: HeadName, *, base: tuple[Rule, ...], own: tuple[Rename, ...] | None = None) -> WeightNames:
    """The Hub's names of a DeBERTa checkpoint's weights; its masked LM is found under either spelling."""
    found, other = _names.PREDICTIONS_NAMES, MICROSOFT_NAMES
    if not config.legacy:
        found, other = other, found
    by_head = {**_names.HEAD_NAMES, "sequence-classification": POOLED_NAMES, "multiple-choice": POOLED_NAMES, "masked-lm": found}
    return WeightNames(
        base=(*EMBEDDING_NAMES, *base),
        heads=own or by_head.get(head, ()),
        prefix="deberta.",
        ignored=(_names.STRAY_POSITIONS,) if config.position_biased_input else (_names.STRAY_POSITIONS, UNUSED_POSITIONS),
        tied=_names.TIED_PREDICTIONS,
        foreign=(r"^mask_predictions\.",) if head == "masked-lm" else (),
        legacy=(*WeightNames.legacy, *respelt(other, found)),
    )


def respelt(other: tuple[Rename, ...], wanted: tuple[Rename, ...]) -> tuple[tuple[str, str], ...]:
    """The names of one spelling with those of the other."""
    pairs = [(old.theirs, new.theirs) for old, new in zip(other, wanted, strict=True)]
    return tuple((old + kind, new + kind) for old, new in pairs for kind in ("", ".weight", ".bias"))
