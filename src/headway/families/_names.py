"""The weight names that most families share: those of BERT's layers and heads."""

from headway.architecture import Fuse, Rename, Rule
from headway.architecture.family import HeadName

TOKEN_TABLE = "embeddings.word_embeddings.weight"

EMBEDDING_NAMES: tuple[Rule, ...] = (
    Rename("embeddings.word_embeddings", "embeddings.token"),
    Rename("embeddings.position_embeddings", "embeddings.position"),
    Rename("embeddings.token_type_embeddings", "embeddings.token_type"),
    Rename("embeddings.LayerNorm", "embeddings.norm"),
)

FEED_FORWARD_NAMES: tuple[Rule, ...] = (
    Rename("encoder.layer.{i}.intermediate.dense", "layers.{i}.feed_forward.up"),
    Rename("encoder.layer.{i}.output.dense", "layers.{i}.feed_forward.down"),
    Rename("encoder.layer.{i}.output.LayerNorm", "layers.{i}.feed_forward_norm"),
)

LAYER_NAMES: tuple[Rule, ...] = (
    Rename("encoder.layer.{i}.attention.output.dense", "layers.{i}.attention.out"),
    Rename("encoder.layer.{i}.attention.output.LayerNorm", "layers.{i}.attention_norm"),
    *FEED_FORWARD_NAMES,
)
"""All of a layer but the query, key and value maps."""


def qkv_names(*theirs: str) -> Fuse:
    """The three maps of a layer's attention, by their names after ``encoder.layer.{i}.attention.``."""
    return Fuse(tuple(f"encoder.layer.{{i}}.attention.{name}" for name in theirs), "layers.{i}.attention.qkv")


ENCODER_NAMES: tuple[Rule, ...] = (*EMBEDDING_NAMES, qkv_names("self.query", "self.key", "self.value"), *LAYER_NAMES)
POOLER_NAME = Rename("pooler.dense", "pooler.dense")
CLASSIFIER_NAME = Rename("classifier", "head.classifier")
ANSWER_NAME = Rename("qa_outputs", "head.classifier")
STRAY_POSITIONS = r"embeddings\.position_ids$"

HEAD_NAMES: dict[HeadName, tuple[Rename, ...]] = {
    "sequence-classification": (CLASSIFIER_NAME,),
    "token-classification": (CLASSIFIER_NAME,),
    "multiple-choice": (CLASSIFIER_NAME,),
    "question-answering": (ANSWER_NAME,),
}

TWO_STEP_CLASSIFIER = (Rename("classifier.dense", "pooler.dense"), Rename("classifier.out_proj", "head.classifier"))
"""A classifier with a pooler of its own, beside the encoder."""

LM_HEAD_NAMES = (
    Rename("lm_head.dense", "head.dense"),
    Rename("lm_head.layer_norm", "head.norm"),
    Rename("lm_head.bias", "head.decoder.bias"),
)
TIED_LM_HEAD = (("lm_head.decoder.weight", TOKEN_TABLE), ("lm_head.decoder.bias", "lm_head.bias"))
PREDICTIONS_NAMES = (
    Rename("cls.predictions.transform.dense", "head.dense"),
    Rename("cls.predictions.transform.LayerNorm", "head.norm"),
    Rename("cls.predictions.bias", "head.decoder.bias"),
)
TIED_PREDICTIONS = (("cls.predictions.decoder.weight", TOKEN_TABLE), ("cls.predictions.decoder.bias", "cls.predictions.bias"))
