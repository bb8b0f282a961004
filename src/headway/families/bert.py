"""BERT. Devlin et al., 2019, arXiv:1810.04805."""

from headway.architecture import Architecture, Family, ModelConfig, Positions, Rename, TokenizerDefaults, WeightNames
from headway.architecture.family import HeadName
from headway.families import _heads as heads
from headway.families import _names, _tokens
from headway.families import _standard as standard

POOLER_OF_TENSORFLOW = (
    "directionality",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
)
"""Settings in Google's later checkpoints, which no model has ever read."""

POOLED = ("base", "sequence-classification", "next-sentence", "pretraining", "multiple-choice")


def build(config: ModelConfig, head: HeadName) -> Architecture:
    """The architecture of a BERT checkpoint; heads that read each token have no pooler."""
    parts = standard.embeddings(config, positions=Positions(count=config.max_position_embeddings))
    return Architecture(
        encoder=standard.encoder(config, parts, standard.layer(config)),
        pooler=heads.pooler(config) if head in POOLED else None,
        head=heads.head(config, head),
    )


NEXT_SENTENCE_NAMES = (Rename("cls.seq_relationship", "head.next_sentence"),)

HEAD_NAMES: dict[HeadName, tuple[Rename, ...]] = {
    **_names.HEAD_NAMES,
    "masked-lm": _names.PREDICTIONS_NAMES,
    "next-sentence": NEXT_SENTENCE_NAMES,
    "pretraining": (*_names.PREDICTIONS_NAMES, *NEXT_SENTENCE_NAMES),
}


def names(config: ModelConfig, head: HeadName) -> WeightNames:
    """The Hub's names of a BERT checkpoint's weights."""
    return WeightNames(
        base=(*_names.ENCODER_NAMES, _names.POOLER_NAME),
        heads=HEAD_NAMES.get(head, ()),
        prefix="bert.",
        ignored=(_names.STRAY_POSITIONS, r"^cls\.seq_relationship\."),
        tied=_names.TIED_PREDICTIONS,
    )


FAMILY = Family(
    model_type="bert",
    class_prefix="Bert",
    heads=(*heads.USUAL, "next-sentence", "pretraining"),
    pretraining="pretraining",
    defaults=standard.BERT_DEFAULTS,
    build=build,
    names=names,
    tokenizer=TokenizerDefaults(
        class_name="BertTokenizer",
        algorithm="wordpiece",
        special_tokens=_tokens.BERT_TOKENS,
        lowercase=True,
        files=("vocab.txt",),
    ),
    required={**standard.ENCODER_ONLY, "position_embedding_type": "absolute"},
    irrelevant=(*standard.IRRELEVANT, *POOLER_OF_TENSORFLOW),
)
