"""The weight names that most families share: those of BERT's layers."""

from headway.architecture import Fuse, Rename, Rule

EMBEDDING_NAMES: tuple[Rule, ...] = (
    Rename("embeddings.word_embeddings", "embeddings.token"),
    Rename("embeddings.position_embeddings", "embeddings.position"),
    Rename("embeddings.token_type_embeddings", "embeddings.token_type"),
    Rename("embeddings.LayerNorm", "embeddings.norm"),
)

LAYER_NAMES: tuple[Rule, ...] = (
    Rename("encoder.layer.{i}.attention.output.dense", "layers.{i}.attention.out"),
    Rename("encoder.layer.{i}.attention.output.LayerNorm", "layers.{i}.attention_norm"),
    Rename("encoder.layer.{i}.intermediate.dense", "layers.{i}.feed_forward.up"),
    Rename("encoder.layer.{i}.output.dense", "layers.{i}.feed_forward.down"),
    Rename("encoder.layer.{i}.output.LayerNorm", "layers.{i}.feed_forward_norm"),
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
