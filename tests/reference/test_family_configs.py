"""Families against transformers: its configuration keys, its defaults, its classes, and the sizes of published models."""

import pytest
import transformers
from transformers.models.auto import modeling_auto

from headway.architecture.family import METADATA
from headway.families import family, model_types

FAMILIES = [family(model_type) for model_type in model_types()]
AUTO = {
    "base": "MODEL_MAPPING_NAMES",
    "sequence-classification": "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    "token-classification": "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES",
    "question-answering": "MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES",
    "masked-lm": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "next-sentence": "MODEL_FOR_NEXT_SENTENCE_PREDICTION_MAPPING_NAMES",
    "multiple-choice": "MODEL_FOR_MULTIPLE_CHOICE_MAPPING_NAMES",
}
OURS_ALONE = {  # read by the code of a model's layers, though its configuration class does not name them
    "deberta": {"embedding_size", "cls_dropout", "talking_head"},
    "deberta-v2": {
        "attention_head_size",
        "cls_dropout",
        "conv_act",
        "conv_groups",
        "conv_kernel_size",
        "embedding_size",
        "norm_rel_ebd",
        "position_buckets",
        "share_att_key",
        "talking_head",
    },
    "electra": {"summary_first_dropout", "summary_proj_to_labels"},
    "modernbert": {"layer_types", "rope_parameters", "rope_scaling"},
}
SIZE_BY_ANOTHER = {"pooler_hidden_size"}  # None here, the encoder's width there


@pytest.fixture(params=FAMILIES, ids=lambda found: found.model_type)
def found(request):
    return request.param


def theirs(found):
    settings = getattr(transformers, f"{found.class_prefix}Config")().to_dict()
    return {name: value for name, value in settings.items() if not name.startswith("_")}


def test_every_setting_of_transformers_is_in_one_class(found):
    assert not set(found.defaults) & set(found.required)
    assert not {*found.defaults, *found.required} & set(found.irrelevant)
    sorted_ones = {*found.defaults, *found.required, *found.irrelevant}
    assert set(theirs(found)) - METADATA <= sorted_ones
    base = {name for name in transformers.PretrainedConfig().to_dict() if not name.startswith("_")}
    assert base - METADATA <= {*found.defaults, *found.required}
    read = {*found.defaults, *found.required} - base - set(theirs(found)) - {"quantization_config"}
    assert read <= OURS_ALONE.get(found.model_type, set())


def test_defaults_are_those_of_transformers(found):
    expected = theirs(found)
    ours = {**found.defaults, **found.required}
    assert {name: ours[name] for name in ours if name in expected and name not in SIZE_BY_ANOTHER} == {
        name: expected[name] for name in ours if name in expected and name not in SIZE_BY_ANOTHER
    }


def test_heads_and_classes_are_those_of_transformers(found):
    for head, mapping in AUTO.items():
        assert found.class_names.get(head) == getattr(modeling_auto, mapping).get(found.model_type), head
    pretraining = modeling_auto.MODEL_FOR_PRETRAINING_MAPPING_NAMES.get(found.model_type)
    assert (found.class_names[found.pretraining] if found.pretraining else None) == pretraining


def test_tutorials_names_of_configurations_and_tokenizers_exist(found):
    for name in (
        f"{found.class_prefix}Config",
        found.tokenizer.class_name,
        found.tokenizer.class_name.removesuffix("Fast") + "Fast",
    ):
        assert hasattr(transformers, name)


def test_other_spellings_are_those_of_transformers(found):
    spelt = getattr(transformers, f"{found.class_prefix}Config").attribute_map
    assert dict(found.aliases) == {name: spelt[name] for name in spelt if name != "rope_theta"}  # ModernBERT has two of these
