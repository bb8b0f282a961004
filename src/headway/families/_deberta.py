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
            f"relative_attention is {config.relative_attention} and pos_att_type {found!r} in config.json. Supported are "
            'false with none, and true with c2p, p2c or both ("c2p|p2c"); others change every score.'
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
LM_HEADS = {
    True: ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias"),
    False: ("lm_predictions.lm_head.dense", "lm_predictions.lm_head.LayerNorm", "lm_predictions.lm_head.bias"),
}
"""The masked LM's parts as transformers called them first (``legacy``), and as Microsoft's own files do."""

IGNORED = (_names.STRAY_POSITIONS, r"^cls\.predictions\.decoder\.")
UNUSED_POSITIONS = r"^(deberta\.)?embeddings\.position_embeddings\."
"""Published checkpoints have position vectors for pre-training that the encoder itself does not add."""


def names(config: ModelConfig, head: HeadName, *, base: tuple[Rule, ...], own: tuple[Rename, ...] | None = None) -> WeightNames:
    """The Hub's names of a DeBERTa checkpoint's weights; its masked LM is found under either spelling."""
    wanted, other = LM_HEADS[config.legacy], LM_HEADS[not config.legacy]
    ours = ("head.dense", "head.norm", "head.decoder.bias")
    by_head: dict[HeadName, tuple[Rename, ...]] = {
        **_names.HEAD_NAMES,
        "sequence-classification": (_names.POOLER_NAME, _names.CLASSIFIER_NAME),
        "multiple-choice": (_names.POOLER_NAME, _names.CLASSIFIER_NAME),
        "masked-lm": tuple(map(Rename, wanted, ours)),
    }
    kinds = (".weight", ".bias")
    dense = [(old + kind, new + kind) for old, new in zip(other[:2], wanted[:2], strict=True) for kind in kinds]
    return WeightNames(
        base=(*EMBEDDING_NAMES, *base),
        heads=own or by_head.get(head, ()),
        prefix="deberta.",
        ignored=IGNORED if config.position_biased_input else (*IGNORED, UNUSED_POSITIONS),
        legacy=(*WeightNames.legacy, *dense, (other[2], wanted[2])),
    )
