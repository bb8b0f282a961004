"""RoBERTa and the models that differ from it in their vocabulary alone. Liu et al., 2019, arXiv:1907.11692."""

from headway.architecture import (
    Architecture,
    Family,
    Head,
    ModelConfig,
    MultipleChoiceHead,
    Positions,
    Rule,
    TokenizerDefaults,
    WeightNames,
)
from headway.architecture.family import HeadName
from headway.architecture.parts import RelativePositions
from headway.families import _heads as heads
from headway.families import _names
from headway.families import _standard as standard


def build(config: ModelConfig, head: HeadName, *, relative: RelativePositions | None = None) -> Architecture:
    """The architecture of a RoBERTa checkpoint: positions count from after the padding's id."""
    positions = Positions(count=config.max_position_embeddings, padding_id=config.pad_token_id)
    parts = standard.embeddings(config, positions=positions)
    pooler = None
    if head in ("base", "multiple-choice"):
        pooler = heads.pooler(config)
    if head == "sequence-classification":
        pooler = heads.pooler(config, dropout=heads.classifier_dropout(config))
    encoder = standard.encoder(config, parts, standard.layer(config, positions=relative))
    return Architecture(encoder=encoder, pooler=pooler, head=own_head(config, head))


def own_head(config: ModelConfig, head: HeadName) -> Head | None:
    """RoBERTa's heads; its masked LM has GELU whatever the encoder has."""
    if head == "masked-lm":
        return heads.masked_lm(config, act="gelu")
    if head == "multiple-choice":
        return MultipleChoiceHead(dropout=config.hidden_dropout_prob)
    return heads.head(config, head)


HEAD_NAMES = {
    **_names.HEAD_NAMES,
    "sequence-classification": _names.TWO_STEP_CLASSIFIER,
    "masked-lm": _names.LM_HEAD_NAMES,
}


def names(
    config: ModelConfig, head: HeadName, *, base: tuple[Rule, ...] = _names.ENCODER_NAMES, prefix: str = "roberta."
) -> WeightNames:
    """The Hub's names of a RoBERTa checkpoint's weights; a classifier's pooler is not the encoder's."""
    pooler = () if head == "sequence-classification" else (_names.POOLER_NAME,)
    return WeightNames(
        base=(*base, *pooler),
        heads=HEAD_NAMES.get(head, ()),
        prefix=prefix,
        ignored=(_names.STRAY_POSITIONS,),
        tied=_names.TIED_LM_HEAD,
    )


def family(model_type: str, class_prefix: str, *, vocab_size: int, tokenizer: TokenizerDefaults) -> Family:
    """One of RoBERTa's kin."""
    return Family(
        model_type=model_type,
        class_prefix=class_prefix,
        heads=heads.USUAL,
        defaults={**standard.ROBERTA_DEFAULTS, "vocab_size": vocab_size},
        build=build,
        names=names,
        tokenizer=tokenizer,
        required={**standard.ENCODER_ONLY, "position_embedding_type": "absolute"},
        irrelevant=(*standard.IRRELEVANT, "output_past"),
    )
