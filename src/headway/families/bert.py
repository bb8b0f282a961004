"""BERT. Devlin et al., 2019, arXiv:1810.04805."""

from headway.architecture import Architecture, Family, ModelConfig, Positions, Rename, TokenizerDefaults, WeightNames
from headway.architecture.family import HeadName
from headway.families import _names
from headway.families import _standard as standard

POOLED = ("base", "sequence-classification", "next-sentence", "pretraining", "multiple-choice")


def build(config: ModelConfig, head: HeadName) -> Architecture:
    """The architecture of a BERT checkpoint; heads that read each token have no pooler."""
    parts = standard.embeddings(config, positions=Positions(count=config.max_position_embeddings))
    return Architecture(
        encoder=standard.encoder(config, parts, standard.layer(config)),
        pooler=standard.tanh_pooler(config) if head in POOLED else None,
        head=standard.head(config, head),
    )


MASKED_LM_NAMES = (
    Rename("cls.predictions.transform.dense", "head.dense"),
    Rename("cls.predictions.transform.LayerNorm", "head.norm"),
    Rename("cls.predictions.bias", "head.decoder.bias"),
)
NEXT_SENTENCE_NAMES = (Rename("cls.seq_relationship", "head.next_sentence"),)

HEAD_NAMES = {
    "sequence-classification": (_names.CLASSIFIER_NAME,),
    "token-classification": (_names.CLASSIFIER_NAME,),
    "multiple-choice": (_names.CLASSIFIER_NAME,),
    "question-answering": (_names.ANSWER_NAME,),
    "masked-lm": MASKED_LM_NAMES,
    "next-sentence": NEXT_SENTENCE_NAMES,
    "pretraining": (*MASKED_LM_NAMES, *NEXT_SENTENCE_NAMES),
}


def names(config: ModelConfig, head: HeadName) -> WeightNames:
    """The Hub's names of a BERT checkpoint's weights."""
    return WeightNames(
        base=(*_names.ENCODER_NAMES, _names.POOLER_NAME),
        heads=HEAD_NAMES.get(head, ()),
        prefix="bert.",
        ignored=(_names.STRAY_POSITIONS, r"^cls\.predictions\.decoder\.", r"^cls\.seq_relationship\."),
    )


FAMILY = Family(
    model_type="bert",
    defaults=standard.BERT_DEFAULTS,
    build=build,
    names=names,
    class_names={
        "base": "BertModel",
        "sequence-classification": "BertForSequenceClassification",
        "token-classification": "BertForTokenClassification",
        "question-answering": "BertForQuestionAnswering",
        "masked-lm": "BertForMaskedLM",
        "next-sentence": "BertForNextSentencePrediction",
        "pretraining": "BertForPreTraining",
        "multiple-choice": "BertForMultipleChoice",
    },
    tokenizer=TokenizerDefaults(
        class_name="BertTokenizer",
        algorithm="wordpiece",
        special_tokens={
            "unk_token": "[UNK]",
            "sep_token": "[SEP]",
            "pad_token": "[PAD]",
            "cls_token": "[CLS]",
            "mask_token": "[MASK]",
        },
        lowercase=True,
    ),
    required={**standard.ENCODER_ONLY, "position_embedding_type": "absolute"},
    irrelevant=("use_cache", "gradient_checkpointing"),
)
