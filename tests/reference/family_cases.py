"""The table that all equality tests run over: tiny models of every family, every head, and batches that reach their corners.

``CASES`` are configurations, ``COMBINATIONS`` cases with one head each, for ``pytest.mark.parametrize``. For each,
``transformers_model`` is the reference with random weights, none of them zero, ``saved_folder`` where it was saved,
``batch`` a ragged batch with texts of one token and of the longest length, and ``reference_outputs`` the expected answers.
Torch and transformers are imported where they are needed only.
"""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from conftest import make_random_weights
from headway.architecture import Family, HeadName, ModelConfig
from headway.families import family

LABELS = 5
CHOICES = 3
OUTPUTS = (
    "last_hidden_state",
    "pooler_output",
    "logits",
    "start_logits",
    "end_logits",
    "prediction_logits",
    "seq_relationship_logits",
    "sop_logits",
)
PER_TEXT = ("pooler_output", "seq_relationship_logits", "sop_logits")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One configuration of a family.

    ``heads`` are those worth a test, ``longest`` is the length of its longest text, ``pair_label`` what transformers calls the
    label of a pair of texts.
    """

    name: str
    model_type: str
    settings: Mapping[str, Any] = field(hash=False)
    heads: tuple[HeadName, ...]
    longest: int = 29
    pair_label: str = "next_sentence_label"

    @property
    def family(self) -> Family:
        return family(self.model_type)

    @property
    def padding_id(self) -> int:
        return int(self.settings.get("pad_token_id", self.family.defaults["pad_token_id"]))

    def config(self, head: HeadName) -> ModelConfig:
        """The configuration as Headway has it; two labels for question answering, five otherwise."""
        return self.family.config(**self.settings, num_labels=labels(head))


SIZES = {
    "vocab_size": 101,
    "hidden_size": 28,  # four heads of seven
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 41,
    "layer_norm_eps": 1e-6,
}
BERT_SIZES = {**SIZES, "type_vocab_size": 2}
ROBERTA_SIZES = {**SIZES, "type_vocab_size": 1, "max_position_embeddings": 43, "pad_token_id": 1}
DISTILBERT_SIZES = {
    "vocab_size": 101,
    "dim": 28,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 37,
    "max_position_embeddings": 41,
}
MPNET_SIZES = {**SIZES, "max_position_embeddings": 43}
DEBERTA = {
    **SIZES,
    "type_vocab_size": 0,
    "relative_attention": True,
    "pos_att_type": "c2p|p2c",
    "max_relative_positions": 11,  # fewer than a text has tokens
    "position_biased_input": False,
}
MICROSOFT_LM = {"legacy": False, "tie_word_embeddings": False}  # transformers would tie the wrong matrix
DEBERTA_V3 = {
    **DEBERTA,
    "position_buckets": 7,
    "max_relative_positions": 19,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
}
MODERNBERT = {
    "vocab_size": 101,
    "hidden_size": 30,  # five heads of six: rotary positions want an even size
    "num_hidden_layers": 5,  # the first and the fourth see everything
    "num_attention_heads": 5,
    "intermediate_size": 37,
    "max_position_embeddings": 311,
    "local_attention": 10,
    "global_rope_theta": 700.0,
    "local_rope_theta": 50.0,
    "pad_token_id": 3,
    "cls_token_id": 5,
    "sep_token_id": 7,
    "bos_token_id": 5,
    "eos_token_id": 7,
}
ALBERT = {
    **SIZES,
    "type_vocab_size": 2,
    "embedding_size": 19,
    "num_hidden_layers": 5,
    "num_hidden_groups": 2,  # three steps with the first group's weights, two with the second's
    "hidden_act": "gelu_new",
}
WITH_BIASES = {
    "norm_bias": True,
    "attention_bias": True,
    "mlp_bias": True,
    "classifier_bias": True,
    "decoder_bias": False,
    "classifier_pooling": "mean",
    "classifier_activation": "relu",
    "hidden_activation": "gelu_pytorch_tanh",
}


def whole(model_type: str, settings: Mapping[str, Any], *, name: str | None = None, **more: Any) -> Case:
    """A family with all of its heads."""
    return Case(name=name or model_type, model_type=model_type, settings=settings, heads=family(model_type).heads, **more)


def variant(name: str, model_type: str, settings: Mapping[str, Any], *heads: HeadName, longest: int = 29) -> Case:
    """A family in another form, with the heads that this concerns."""
    return Case(name=name, model_type=model_type, settings=settings, heads=heads or ("base",), longest=longest)


CASES = (
    whole("bert", BERT_SIZES, longest=41),
    variant("bert with relu", "bert", BERT_SIZES | {"hidden_act": "relu"}, "masked-lm"),
    whole("distilbert", DISTILBERT_SIZES, longest=41),
    whole("roberta", ROBERTA_SIZES, longest=41),
    whole("xlm-roberta", ROBERTA_SIZES),
    whole("camembert", ROBERTA_SIZES | {"hidden_act": "gelu_new"}),
    whole("electra", BERT_SIZES | {"embedding_size": 19, "hidden_act": "silu", "summary_activation": "tanh"}),
    variant("electra of one width", "electra", BERT_SIZES | {"embedding_size": 28}, "base", "masked-lm"),
    whole("mpnet", MPNET_SIZES, longest=41),
    variant("mpnet far away", "mpnet", MPNET_SIZES | {"max_position_embeddings": 163}, longest=157),
    whole("deberta", DEBERTA),
    variant(
        "deberta with everything in the input",
        "deberta",
        DEBERTA
        | {
            "position_biased_input": True,
            "type_vocab_size": 3,
            "embedding_size": 19,
            "pos_att_type": ["p2c"],
            "max_relative_positions": -1,
        },
        "base",
        "masked-lm",
        longest=41,
    ),
    variant("deberta c2p", "deberta", DEBERTA | MICROSOFT_LM | {"pos_att_type": ["c2p"]}, "masked-lm"),
    variant("deberta plain", "deberta", DEBERTA | {"relative_attention": False, "pos_att_type": None}),
    whole("deberta-v2", DEBERTA_V3),
    variant(
        "deberta-v2 with a convolution",
        "deberta-v2",
        DEBERTA_V3 | {"share_att_key": False, "conv_kernel_size": 5, "conv_groups": 2, "conv_act": "gelu", "position_buckets": 8},
        "base",
        "masked-lm",
        "sequence-classification",
        "replaced-token",
    ),
    variant(
        "deberta-v2 with everything in the input",
        "deberta-v2",
        DEBERTA_V3
        | {
            "position_biased_input": True,
            "type_vocab_size": 2,
            "embedding_size": 19,
            "norm_rel_ebd": "none",
            "conv_kernel_size": 3,
            "max_relative_positions": -1,
        },
        "base",
        "masked-lm",
        longest=41,
    ),
    variant("deberta-v2 p2c without buckets", "deberta-v2", DEBERTA | MICROSOFT_LM | {"pos_att_type": "p2c"}, "masked-lm"),
    variant("deberta-v2 plain", "deberta-v2", DEBERTA | {"relative_attention": False, "pos_att_type": None}),
    whole("modernbert", MODERNBERT),
    whole("modernbert", MODERNBERT | WITH_BIASES, name="modernbert with biases"),
    whole("albert", ALBERT, pair_label="sentence_order_label"),
    variant("albert of one width", "albert", ALBERT | {"embedding_size": 28}, "base"),
    variant(
        "albert of layers in groups",
        "albert",
        ALBERT | {"num_hidden_layers": 3, "num_hidden_groups": 1, "inner_group_num": 2},
        "masked-lm",
    ),
    variant(
        "modernbert far away",
        "modernbert",
        MODERNBERT | {"local_attention": 128, "max_position_embeddings": 1031},
        "base",
        "masked-lm",
        longest=307,
    ),
)


@dataclass(frozen=True)
class Combination:
    """A case with one head."""

    case: Case
    head: HeadName

    def __str__(self) -> str:
        return f"{self.case.name}-{self.head}"


COMBINATIONS = tuple(Combination(case, head) for case in CASES for head in case.heads)


def labels(head: HeadName) -> int:
    """How many labels a model of the table has: two for what is no list of labels."""
    return 2 if head in ("question-answering", "pretraining") else LABELS


def transformers_class(case: Case, head: HeadName) -> Any:
    """The class of transformers; for replaced-token detection of DeBERTa, which it lacks, our own of Microsoft's head."""
    import transformers

    if head == "replaced-token" and case.model_type != "electra":
        return _replaced_token_class()
    return getattr(transformers, case.family.class_names[head])


def transformers_config(case: Case, head: HeadName) -> Any:
    """The configuration as transformers has it."""
    import transformers

    return getattr(transformers, f"{case.family.class_prefix}Config")(**case.settings, num_labels=labels(head))


@cache
def transformers_model(case: Case, head: HeadName, *, seed: int = 0) -> Any:
    """The reference in evaluation mode, with the slow attention that also gives its weights. Shared: leave it as it is."""
    import torch

    config = transformers_config(case, head)
    config._attn_implementation = "eager"
    model = transformers_class(case, head)(config)
    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    with torch.no_grad():
        for name, values in make_random_weights(shapes, seed).items():
            model.get_parameter(name).copy_(torch.from_numpy(values))
    return model.eval()


_folders = tempfile.TemporaryDirectory()


@cache
def saved_folder(case: Case, head: HeadName, *, seed: int = 0) -> Path:
    """Where transformers saved the reference. Shared: leave it as it is."""
    folder = Path(_folders.name) / f"{case.name}-{head}-{seed}".replace(" ", "-")
    transformers_model(case, head, seed=seed).save_pretrained(folder)
    return folder


def batch(case: Case, head: HeadName, *, lengths: Iterable[int] | None = None, seed: int = 0) -> dict[str, np.ndarray]:
    """A ragged batch, padded on the right: by default a text of one token, the longest, and three between.

    Arrays are int64, (texts, sequence), or (questions, choices, sequence) for multiple choice. There are token types where the
    model knows several. No token of a text has the padding's id.
    """
    lengths = list(lengths or (7, 1, case.longest, 2, 13, 5))
    generator = np.random.default_rng(seed)
    mask = (np.arange(max(lengths))[None, :] < np.array(lengths)[:, None]).astype(np.int64)
    ids = generator.integers(0, 100, mask.shape)
    ids += ids >= case.padding_id
    arrays = {"input_ids": np.where(mask == 1, ids, case.padding_id), "attention_mask": mask}
    if (types := case.settings.get("type_vocab_size", 0)) > 1:
        arrays["token_type_ids"] = generator.integers(0, types, mask.shape) * mask
    if head == "multiple-choice":
        return {name: array.reshape(-1, CHOICES, array.shape[-1]) for name, array in arrays.items()}
    return arrays


def reference_outputs(case: Case, head: HeadName, arrays: Mapping[str, np.ndarray], *, seed: int = 0) -> dict[str, np.ndarray]:
    """What the reference answers, by the names of its outputs; zeros at the places of padding."""
    import torch

    inputs = {name: torch.from_numpy(array) for name, array in arrays.items()}
    with torch.inference_mode():
        found = transformers_model(case, head, seed=seed)(**inputs)
    values = {name: found[name].numpy() for name in OUTPUTS if found.get(name) is not None}
    return {name: masked(name, value, arrays["attention_mask"]) for name, value in values.items()}


def masked(name: str, values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """An output with zeros at the places of padding, where it has a value for each token."""
    if name in PER_TEXT or values.shape[: mask.ndim] != mask.shape:
        return values
    return values * mask.reshape(*mask.shape, *[1] * (values.ndim - mask.ndim))


def relative_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, in units of the largest value expected."""
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@cache
def _replaced_token_class() -> Any:
    """Microsoft's head (its repository's apps/models/replaced_token_detection_model.py) on transformers' encoder."""
    import torch
    import transformers
    from transformers.activations import ACT2FN

    class MaskPredictions(torch.nn.Module):
        def __init__(self, config):
            super().__init__()
            self.dense = torch.nn.Linear(config.hidden_size, config.hidden_size)
            self.act = ACT2FN[config.hidden_act]
            self.LayerNorm = torch.nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
            self.classifier = torch.nn.Linear(config.hidden_size, 1)

        def forward(self, states):
            together = self.LayerNorm(states[:, :1] + states)
            return self.classifier(self.act(self.dense(together))).squeeze(-1)

    class DebertaV2ForPreTraining(transformers.DebertaV2PreTrainedModel):
        def __init__(self, config):
            super().__init__(config)
            self.deberta = transformers.DebertaV2Model(config)
            self.mask_predictions = MaskPredictions(config)
            self.post_init()

        def forward(self, **inputs):
            return {"logits": self.mask_predictions(self.deberta(**inputs)[0])}

    return DebertaV2ForPreTraining
