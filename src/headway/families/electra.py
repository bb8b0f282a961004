"""ELECTRA: the discriminator and, as a masked LM, the generator. Clark et al., 2020, arXiv:2003.10555."""

from headway.architecture import (
    Architecture,
    Family,
    Head,
    ModelConfig,
    MultipleChoiceHead,
    Pooler,
    Positions,
    Projection,
    Rename,
    ReplacedTokenHead,
    TokenizerDefaults,
    Transform,
    WeightNames,
)
from headway.architecture.family import HeadName
from headway.errors import ConfigError
from headway.families import _heads as heads
from headway.families import _names, _tokens
from headway.families import _standard as standard

PROJECTION = Projection(bias=True, before_norm=False)


def build(config: ModelConfig, head: HeadName) -> Architecture:
    """The architecture of an ELECTRA checkpoint: BERT's, with embeddings of another width where they have one."""
    positions = Positions(count=config.max_position_embeddings)
    parts = standard.embeddings(config, positions=positions, size=config.embedding_size, projection=PROJECTION)
    return Architecture(
        encoder=standard.encoder(config, parts, standard.layer(config)), pooler=pooler(config, head), head=own_head(config, head)
    )


def pooler(config: ModelConfig, head: HeadName) -> Pooler | None:
    """A pooler belongs to a head here; the encoder has none."""
    if head == "sequence-classification":
        return heads.pooler(config, act="gelu", dropout=heads.classifier_dropout(config))
    if head == "multiple-choice":
        return summary(config)
    return None


def summary(config: ModelConfig) -> Pooler:
    """What multiple choice reads: one vector a text by the settings that begin with ``summary_``."""
    if not config.summary_use_proj or config.summary_proj_to_labels or not config.summary_activation:
        raise ConfigError(
            "The settings summary_use_proj, summary_proj_to_labels and summary_activation of config.json describe a summary of "
            "a text without a map as wide as the encoder and an activation. Multiple choice supports only that one."
        )
    standard.one_of(config, "summary_type", ("first",), why="Multiple choice reads the first token only.")
    act = standard.activation(config, "summary_activation")
    return heads.pooler(config, act=act, dropout=config.summary_first_dropout)


def own_head(config: ModelConfig, head: HeadName) -> Head | None:
    """BERT's heads, those of the generator and the discriminator, and multiple choice with a dropout of its own."""
    match head:
        case "masked-lm":
            return heads.masked_lm(config, size=config.embedding_size, act="gelu")
        case "replaced-token":
            return ReplacedTokenHead(transform=Transform(size=config.hidden_size, activation=standard.activation(config)))
        case "multiple-choice":
            return MultipleChoiceHead(dropout=config.summary_last_dropout)
        case _:
            return heads.head(config, head)


HEAD_NAMES = {
    **_names.HEAD_NAMES,
    "sequence-classification": _names.TWO_STEP_CLASSIFIER,
    "multiple-choice": (Rename("sequence_summary.summary", "pooler.dense"), _names.CLASSIFIER_NAME),
    "masked-lm": (
        Rename("generator_predictions.dense", "head.dense"),
        Rename("generator_predictions.LayerNorm", "head.norm"),
        Rename("generator_lm_head.bias", "head.decoder.bias"),
    ),
    "replaced-token": (
        Rename("discriminator_predictions.dense", "head.dense"),
        Rename("discriminator_predictions.dense_prediction", "head.classifier"),
    ),
}


def names(config: ModelConfig, head: HeadName) -> WeightNames:
    """The Hub's names of an ELECTRA checkpoint's weights."""
    return WeightNames(
        base=(*_names.ENCODER_NAMES, Rename("embeddings_project", "embeddings.projection")),
        heads=HEAD_NAMES.get(head, ()),
        prefix="electra.",
        ignored=(_names.STRAY_POSITIONS,),
        tied=(("generator_lm_head.weight", _names.TOKEN_TABLE),),
        foreign=(r"^discriminator_predictions\.",) if head == "masked-lm" else (),
    )


FAMILY = Family(
    model_type="electra",
    class_prefix="Electra",
    heads=(*heads.USUAL, "replaced-token"),
    pretraining="replaced-token",
    defaults={
        **standard.BERT_DEFAULTS,
        "embedding_size": 128,
        "hidden_size": 256,
        "num_attention_heads": 4,
        "intermediate_size": 1024,
        "summary_type": "first",
        "summary_use_proj": True,
        "summary_proj_to_labels": False,
        "summary_activation": "gelu",
        "summary_first_dropout": 0.0,
        "summary_last_dropout": 0.1,
    },
    build=build,
    names=names,
    tokenizer=TokenizerDefaults(
        class_name="ElectraTokenizer", algorithm="wordpiece", special_tokens=_tokens.BERT_TOKENS, lowercase=True
    ),
    required={**standard.ENCODER_ONLY, "position_embedding_type": "absolute"},
    irrelevant=standard.IRRELEVANT,
)
