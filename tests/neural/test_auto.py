"""``from_pretrained`` and ``from_config``: which class comes out, what the keywords do, and what is refused in which words."""

import copy
import inspect
import json
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import headway
from headway.checkpoints import load_checkpoint, save_checkpoint
from headway.errors import ConfigError, TaskError, WeightError
from headway.families import family
from headway.neural import EncoderModel, loading
from reference.family_cases import CASES

CLASSIFIER = headway.AutoModelForSequenceClassification
AUTO = {
    "base": headway.AutoModel,
    "sequence-classification": headway.AutoModelForSequenceClassification,
    "token-classification": headway.AutoModelForTokenClassification,
    "question-answering": headway.AutoModelForQuestionAnswering,
    "masked-lm": headway.AutoModelForMaskedLM,
    "next-sentence": headway.AutoModelForNextSentencePrediction,
    "multiple-choice": headway.AutoModelForMultipleChoice,
}
WHOLE = {case.model_type: case for case in reversed(CASES)}  # the first case of each family


@pytest.mark.parametrize("case", WHOLE.values(), ids=lambda case: case.model_type)
def test_each_automatic_class_makes_the_familys_own(case):
    for head, auto in AUTO.items():
        if head in case.heads:
            model = auto.from_config(case.config(head))
            assert type(model).__name__ == case.family.class_names[head]
            assert type(model) is getattr(headway, type(model).__name__)
            assert isinstance(model, EncoderModel)
            assert model.head_name == head
        else:
            with pytest.raises(TaskError, match=f"{case.model_type} models have no '{head}' head here; they have base"):
                auto.from_config(case.config(head))


@pytest.mark.parametrize("case", WHOLE.values(), ids=lambda case: case.model_type)
def test_the_class_for_pre_training_is_the_one_of_transformers(case):
    from transformers.models.auto.modeling_auto import MODEL_FOR_PRETRAINING_MAPPING_NAMES as NAMES

    if case.model_type in NAMES:
        model = headway.AutoModelForPreTraining.from_config(case.config("masked-lm"))
        assert type(model).__name__ == NAMES[case.model_type]
    else:
        with pytest.raises(ConfigError, match=r"AutoModelForPreTraining has no class for .* Name the head: AutoModelForMaskedLM"):
            headway.AutoModelForPreTraining.from_config(case.config("masked-lm"))


def test_classes_tell_families_and_heads_apart(tiny_config):
    model = headway.BertForSequenceClassification(tiny_config)
    assert isinstance(model, headway.BertForSequenceClassification)
    assert not isinstance(model, headway.BertForMaskedLM | headway.RobertaForSequenceClassification)
    assert not isinstance(model, CLASSIFIER)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_have_the_class_and_weights_of_their_own(tiny_config, again):
    model = headway.BertForMaskedLM(tiny_config)
    copied = again(model)
    assert type(copied) is headway.BertForMaskedLM
    assert all(torch.equal(value, copied.state_dict()[name]) for name, value in model.state_dict().items())
    with torch.no_grad():
        copied.get_input_embeddings().weight.zero_()
    assert model.get_input_embeddings().weight.abs().sum() > 0
    assert copied.get_output_embeddings().weight.abs().sum() == 0


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("BertModel", []),
        ("BertForSequenceClassification", ["labels"]),
        ("BertForQuestionAnswering", ["start_positions", "end_positions"]),
        ("BertForPreTraining", ["labels", "next_sentence_label"]),
    ],
)
def test_signatures_say_what_a_class_learns_from_as_trainers_expect(name, targets):
    from transformers.utils import find_labels

    cls = getattr(headway, name)
    taken = inspect.signature(cls.forward).parameters
    assert [*taken][:4] == ["self", "input_ids", "attention_mask", "token_type_ids"]
    assert [*taken][-len(targets) or len(taken) :] == targets == find_labels(cls)
    assert not [parameter for parameter in taken.values() if parameter.kind is parameter.VAR_KEYWORD]
    assert cls.forward.__doc__ == EncoderModel.forward.__doc__


def test_new_models_are_in_training_mode_and_loaded_ones_in_evaluation_mode(tiny_config, model_folder):
    assert headway.BertModel(tiny_config).training
    assert headway.AutoModel.from_config(tiny_config).training
    assert not headway.AutoModel.from_pretrained(model_folder("base")).training


def test_new_weights_are_normal_biases_zero_norms_one_and_padding_zero(tiny_config):
    torch.manual_seed(0)
    weights = headway.BertForMaskedLM(tiny_config.replace(initializer_range=0.3)).state_dict()
    for name, weight in weights.items():
        if name.endswith("norm.weight"):
            assert (weight == 1).all(), name
        elif not name.endswith(".weight"):
            assert (weight == 0).all(), name
        else:
            assert weight.std() == pytest.approx(0.3, rel=0.25), name
    assert (weights["embeddings.token.weight"][0] == 0).all()


def test_the_name_that_was_given_stays_with_the_model(model_folder):
    folder = model_folder("base")
    assert headway.AutoModel.from_pretrained(folder).name_or_path == str(folder)


def test_weights_that_were_loaded_can_be_trained_and_leave_the_file_alone(model_folder):
    folder = model_folder("base")
    model = headway.AutoModel.from_pretrained(folder)
    before = (folder / "model.safetensors").read_bytes()
    with torch.no_grad():
        for weight in model.parameters():
            assert weight.requires_grad
            weight.zero_()
    assert (folder / "model.safetensors").read_bytes() == before


def test_a_setting_changes_the_configuration_and_the_model(model_folder):
    model = CLASSIFIER.from_pretrained(model_folder("sequence-classification"), hidden_dropout_prob=0.25)
    assert model.config.hidden_dropout_prob == model.architecture.encoder.embeddings.dropout == 0.25


def test_label_settings_are_taken(model_folder):
    folder = model_folder("base")
    labels = {0: "no", 1: "yes", 2: "perhaps"}
    with pytest.warns(UserWarning, match="made anew"):
        model = CLASSIFIER.from_pretrained(folder, id2label=labels, problem_type="multi_label_classification")
    assert (model.config.id2label, model.num_labels) == (labels, 3)
    assert model.config.problem_type == "multi_label_classification"


def test_the_new_head_is_said_where_the_call_is(model_folder):
    with pytest.warns(UserWarning, match=r"2 weights are made anew at random.*classifier\.weight, classifier\.bias") as said:
        CLASSIFIER.from_pretrained(model_folder("base"))
    assert said[0].filename == __file__


def test_a_head_of_another_size_is_refused_or_made_anew(model_folder):
    folder = model_folder("sequence-classification")
    with pytest.raises(WeightError, match=r"Load with num_labels=5 .* ignore_mismatched_sizes=True"):
        CLASSIFIER.from_pretrained(folder, num_labels=3)
    with pytest.warns(UserWarning, match="another size"):
        model = CLASSIFIER.from_pretrained(folder, num_labels=3, ignore_mismatched_sizes=True)
    assert model.head.classifier.weight.shape == (3, 28)


def test_a_configuration_of_ones_own_stands_in_for_the_file(model_folder, tmp_path):
    folder = shutil.copytree(model_folder("sequence-classification"), tmp_path / "model")
    config = headway.AutoConfig.from_pretrained(folder, hidden_dropout_prob=0.4)
    assert CLASSIFIER.from_pretrained(folder, config=config).config == config
    assert CLASSIFIER.from_pretrained(folder, config=config, hidden_dropout_prob=0.2).config.hidden_dropout_prob == 0.2
    (folder / "config.json").rename(tmp_path / "config.json")
    assert CLASSIFIER.from_pretrained(folder, config=config).config == config
    assert CLASSIFIER.from_pretrained(folder, config=str(tmp_path)).config == config.replace(hidden_dropout_prob=0.1)


@pytest.mark.parametrize("keyword", ["dtype", "torch_dtype"])
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bfloat16", torch.bfloat16),
        ("torch.float16", torch.float16),
        (torch.float64, torch.float64),
        ("auto", torch.float32),
        (None, torch.float32),
    ],
    ids=str,
)
def test_weights_have_the_numbers_asked_for(model_folder, keyword, wanted, expected):
    model = headway.AutoModel.from_pretrained(model_folder("base"), **{keyword: wanted})
    assert {weight.dtype for weight in model.parameters()} == {model.dtype} == {expected}
    assert model.config.get("dtype") == (None if wanted is None else str(expected).removeprefix("torch."))


def test_numbers_are_those_of_the_configuration_or_else_of_the_file_where_they_are_to_be_chosen(transformers_folder):
    from transformers import BertModel

    folder = transformers_folder("BertModel")
    BertModel.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    assert headway.AutoModel.from_pretrained(folder, dtype="auto").dtype == torch.bfloat16
    assert headway.AutoModel.from_pretrained(folder).dtype == torch.float32
    assert headway.AutoModel.from_pretrained(folder).config.dtype == "float32"
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({name: value for name, value in config.items() if name != "dtype"}))
    assert headway.AutoModel.from_pretrained(folder, dtype="auto").dtype == torch.bfloat16
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    assert headway.AutoModel.from_pretrained(folder, dtype="auto").dtype == torch.float16


def test_numbers_that_no_weight_has_are_refused(model_folder):
    with pytest.raises(ConfigError, match=r"dtype is torch.int8, but weights are float16, bfloat16, .* 'auto' is what"):
        headway.AutoModel.from_pretrained(model_folder("base"), dtype=torch.int8)


@pytest.mark.parametrize("wanted", ["auto", "cpu", torch.device("cpu"), {"": "cpu"}, None], ids=str)
def test_the_model_is_on_the_device_asked_for(model_folder, wanted):
    assert headway.AutoModel.from_pretrained(model_folder("base"), device_map=wanted).device.type in ("cpu", "cuda")


@pytest.mark.parametrize("wanted", ["balanced", {"layers.0": "cpu", "layers.1": "cpu"}, 1.5], ids=str)
def test_several_devices_are_refused(model_folder, wanted):
    with pytest.raises(ConfigError, match=r'device_map is .*, but the whole model stands on one device here. Give "auto"'):
        headway.AutoModel.from_pretrained(model_folder("base"), device_map=wanted)


def test_a_model_is_built_on_torchs_default_device(model_folder):
    with torch.device("meta"):
        model = headway.AutoModel.from_pretrained(model_folder("base"))
    assert model.device.type == "meta"


def test_the_choice_of_attention_is_taken_and_said_once(model_folder, monkeypatch):
    monkeypatch.setattr(loading, "_said", set())
    folder = model_folder("base")
    with pytest.warns(UserWarning, match="attn_implementation='sdpa' changes nothing: Headway runs its packed attention") as said:
        headway.AutoModel.from_pretrained(folder, attn_implementation="sdpa")
    assert said[0].filename == __file__
    headway.AutoModel.from_pretrained(folder, attn_implementation="sdpa")
    with pytest.raises(
        ConfigError, match=r"attn_implementation is 'spda', which nobody knows. Did you mean 'sdpa'\? Leave it out"
    ):
        headway.AutoModel.from_pretrained(folder, attn_implementation="spda")


def test_the_pooler_of_a_base_model_may_be_left_out(model_folder, tiny_config):
    folder = model_folder("base")
    assert headway.AutoModel.from_pretrained(folder).pooler is not None
    assert headway.AutoModel.from_pretrained(folder, add_pooling_layer=False).pooler is None
    assert headway.BertModel(tiny_config, add_pooling_layer=False).pooler is None
    with pytest.raises(ConfigError, match="add_pooling_layer=False is for base models; the head of a BertForSequenceClassific"):
        CLASSIFIER.from_pretrained(model_folder("sequence-classification"), add_pooling_layer=False)


def test_a_keyword_that_means_nothing_is_refused_before_weights_are_read(model_folder, tmp_path):
    folder = shutil.copytree(model_folder("base"), tmp_path / "model")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"'num_label' is no setting of bert models and no option.*Did you mean 'num_labels'"):
        CLASSIFIER.from_pretrained(folder, num_label=3)
    with pytest.raises(ConfigError, match=r"trust_remote_code=True cannot be had here: it would run code from the repository"):
        CLASSIFIER.from_pretrained(folder, trust_remote_code=True)


def test_a_checkpoint_of_another_family_is_refused_with_the_class_for_it(model_folder, tmp_path):
    roberta = family("roberta")
    config = WHOLE["roberta"].config("sequence-classification")
    model = headway.RobertaForSequenceClassification(config)
    save_checkpoint(tmp_path, config=config, head="sequence-classification", weights=model.arrays())
    assert isinstance(CLASSIFIER.from_pretrained(tmp_path), headway.RobertaForSequenceClassification)
    message = (
        r"holds a roberta model, but BertForSequenceClassification is for bert models: .* "
        r"Use RobertaForSequenceClassification or AutoModelForSequenceClassification"
    )
    with pytest.raises(ConfigError, match=message):
        headway.BertForSequenceClassification.from_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="This configuration holds a roberta model, but BertModel is for bert models"):
        headway.BertModel(roberta.config())


def test_what_is_no_configuration_is_refused(tiny_config):
    from transformers import BertConfig

    with pytest.raises(ConfigError, match=r"BertModel needs a configuration of Headway's.*AutoConfig\.for_model\('bert', …\)"):
        headway.BertModel(BertConfig())


def test_from_config_takes_the_configuration_as_it_is(tiny_config):
    assert headway.AutoModel.from_config(tiny_config, dtype=torch.bfloat16).dtype == torch.bfloat16
    assert headway.BertModel.from_config(tiny_config, add_pooling_layer=False).pooler is None
    with pytest.raises(ConfigError, match=r"num_labels would change nothing. Write config\.replace\(num_labels=…\)"):
        CLASSIFIER.from_config(tiny_config, num_labels=3)
    with pytest.raises(ConfigError, match="This configuration holds a bert model, but RobertaModel is for roberta"):
        headway.RobertaModel.from_config(tiny_config)


def test_an_automatic_class_is_no_model():
    with pytest.raises(ConfigError, match=r"AutoModel makes models, and is none\. Use AutoModel\.from_pretrained\(…\)"):
        headway.AutoModel()


def test_what_was_missing_left_over_or_of_another_size_is_told(model_folder):
    with pytest.warns(UserWarning, match="made anew"):
        model, info = CLASSIFIER.from_pretrained(
            model_folder("sequence-classification"), num_labels=3, ignore_mismatched_sizes=True, output_loading_info=True
        )
    assert isinstance(model, headway.BertForSequenceClassification)
    assert info == {
        "missing_keys": [],
        "unexpected_keys": [],
        "mismatched_keys": [("classifier.weight", (5, 28), (3, 28)), ("classifier.bias", (5,), (3,))],
        "error_msgs": [],
    }


def test_loading_a_model_does_not_import_torchs_compiler(model_folder):
    code = (
        f"import sys, headway; model = headway.AutoModelForMaskedLM.from_pretrained({str(model_folder('masked-lm'))!r}); "
        "model.base_model; headway.BertForMaskedLM(model.config); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_models_of_one_folder_share_nothing_and_training_leaves_the_folder_alone(model_folder):
    """A checkpoint's memory goes to the model without a copy; what it changes there is its own."""
    folder = model_folder("sequence-classification")
    before = (folder / "model.safetensors").read_bytes()
    first, second = (CLASSIFIER.from_pretrained(folder) for _ in range(2))
    kept = {name: weight.clone() for name, weight in second.named_parameters()}
    with torch.no_grad():
        for weight in first.parameters():
            weight += 1
    assert all(torch.equal(weight, kept[name]) for name, weight in second.named_parameters())
    assert (folder / "model.safetensors").read_bytes() == before
    first.save_pretrained(folder)
    again = dict(CLASSIFIER.from_pretrained(folder).named_parameters())
    assert all(torch.equal(again[name], weight) for name, weight in first.named_parameters())


@pytest.mark.parametrize("form", ["safetensors", "half precision", "pickle (zip)", "pickle (stream)"])
def test_each_weight_is_in_memory_once_joined_and_converted_ones_too(model_folder, tmp_path, form):
    folder = shutil.copytree(model_folder("masked-lm"), tmp_path / "model")
    if form == "half precision":
        headway.AutoModelForMaskedLM.from_pretrained(folder).half().save_pretrained(folder)
    elif form != "safetensors":
        weights = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
        torch.save(weights, folder / "pytorch_model.bin", _use_new_zipfile_serialization=form == "pickle (zip)")
    found = load_checkpoint(folder, head="masked-lm")
    first, second = (headway.BertForMaskedLM(found.config, weights=found.weights) for _ in range(2))
    for name, weight in first.named_parameters():
        assert np.shares_memory(weight.detach().numpy(), found.weights[name]), name
        assert not np.shares_memory(weight.detach().numpy(), second.get_parameter(name).detach().numpy()), name
