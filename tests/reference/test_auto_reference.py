"""``from_pretrained`` beside that of transformers: the same keywords give the same configuration, labels, numbers and news."""

import warnings

import pytest
import torch
import transformers

import headway
from reference.family_cases import CASES, labels, saved_folder, transformers_model

FAMILIES = {case.model_type: case for case in reversed(CASES)}  # the first case of each family
LABELS = {0: "no", 1: "yes", 2: "perhaps"}
BY_LABEL = {label: index for index, label in LABELS.items()}

OPTIONS = [
    pytest.param({}, id="nothing"),
    pytest.param({"num_labels": 5}, id="as many labels as there are"),
    pytest.param({"num_labels": 3, "ignore_mismatched_sizes": True}, id="another number of labels"),
    pytest.param({"num_labels": 1, "ignore_mismatched_sizes": True}, id="one label"),
    pytest.param({"id2label": LABELS, "label2id": BY_LABEL, "ignore_mismatched_sizes": True}, id="label names"),
    pytest.param(
        {"id2label": LABELS, "label2id": BY_LABEL, "num_labels": 3, "ignore_mismatched_sizes": True}, id="all of labels"
    ),
    pytest.param({"problem_type": "multi_label_classification"}, id="problem type"),
    pytest.param({"dtype": "auto"}, id="numbers of the file"),
    pytest.param({"dtype": "bfloat16"}, id="numbers by name"),
    pytest.param({"dtype": torch.float16}, id="numbers by torch's name"),
    pytest.param({"output_hidden_states": True}, id="hidden states"),
    pytest.param({"output_attentions": True, "attn_implementation": "eager"}, id="attention weights"),
    pytest.param({"return_dict": False}, id="a tuple"),
    pytest.param({"initializer_range": 0.3, "pad_token_id": 7}, id="settings"),
    pytest.param({"low_cpu_mem_usage": True, "trust_remote_code": False, "device_map": None}, id="nothing in other words"),
    pytest.param({"local_files_only": True, "revision": "main", "token": None}, id="places"),
]


OF_ALL = """
    model_type num_labels id2label label2id problem_type return_dict output_hidden_states output_attentions is_decoder
    add_cross_attention is_encoder_decoder tie_word_embeddings
""".split()


def compare_settings(ours, theirs, names):
    """Those that transformers has as attributes; newer ones it may lack. What follows another setting is None here."""
    names = [name for name in names if hasattr(theirs, name) and name != "pooler_hidden_size"]
    assert {name: getattr(ours, name) for name in names} == {name: getattr(theirs, name) for name in names}


@pytest.fixture(autouse=True)
def quiet():
    """News of new weights are expected here; transformers' own go to its log."""
    transformers.logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*(made anew at random|attn_implementation=)")
        yield
    transformers.logging.set_verbosity_warning()


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("model_type", ["bert", "distilbert", "modernbert"])
def test_keywords_do_what_they_do_in_transformers(model_type, options):
    case = FAMILIES[model_type]
    folder = saved_folder(case, "sequence-classification")
    ours = headway.AutoModelForSequenceClassification.from_pretrained(folder, **options)
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(folder, **options)
    assert type(ours).__name__ == type(theirs).__name__
    compare_settings(ours.config, theirs.config, [*case.family.defaults, *case.family.aliases, *OF_ALL, "architectures"])
    assert (ours.dtype, ours.training, ours.num_labels) == (theirs.dtype, theirs.training, theirs.num_labels)
    assert ours.num_parameters() == theirs.num_parameters()
    assert f"torch.{ours.config.dtype}" == str(theirs.config.dtype)
    inputs = {"input_ids": torch.tensor([[11, 12, 13]]), "attention_mask": torch.ones(1, 3, dtype=torch.long)}
    found, expected = ours(**inputs), theirs(**inputs)
    assert isinstance(found, tuple) == isinstance(expected, tuple)
    if isinstance(found, tuple):
        assert [value.shape for value in found] == [value.shape for value in expected]
    else:
        assert [*found] == [*expected]
        assert found[0].shape == expected[0].shape
        assert (found.hidden_states is None) == (expected.hidden_states is None)
        assert (found.attentions is None) == (expected.attentions is None)


@pytest.mark.parametrize("model_type", FAMILIES)
@pytest.mark.parametrize(
    ("saved", "wanted"),
    [
        ("base", "sequence-classification"),
        ("base", "masked-lm"),
        ("masked-lm", "base"),
        ("masked-lm", "token-classification"),
        ("sequence-classification", "sequence-classification"),
        ("token-classification", "question-answering"),
    ],
)
def test_what_was_missing_and_left_over_is_what_transformers_says(model_type, saved, wanted):
    case = FAMILIES[model_type]
    folder, name = saved_folder(case, saved), case.family.class_names[wanted]
    options = {"num_labels": labels(wanted), "output_loading_info": True, "ignore_mismatched_sizes": True}
    _, ours = getattr(headway, name).from_pretrained(folder, **options)
    _, theirs = getattr(transformers, name).from_pretrained(folder, **options)
    twins = {
        key
        for key in theirs["missing_keys"]
        if key.endswith("decoder.bias") and key.replace("decoder.", "") in ours["missing_keys"]
    }
    poolers = {key for key in theirs["missing_keys"] if wanted == "base" and key.startswith("pooler.")}  # left out, not random
    assert {*ours["missing_keys"]} == {*theirs["missing_keys"]} - twins - poolers
    assert {*ours["unexpected_keys"]} == {*theirs["unexpected_keys"]}
    assert {name for name, _, _ in ours["mismatched_keys"]} == {*theirs["mismatched_keys"]}


@pytest.mark.parametrize("model_type", FAMILIES)
def test_names_of_configurations_and_models_are_those_of_transformers(model_type):
    case = FAMILIES[model_type]
    prefix = case.family.class_prefix
    assert hasattr(transformers, f"{prefix}Config")
    config = getattr(headway, f"{prefix}Config")()
    reference = getattr(transformers, f"{prefix}Config")()
    compare_settings(config, reference, [*case.family.defaults, *case.family.aliases, *OF_ALL])
    assert all(hasattr(transformers, name) for head, name in case.family.class_names.items() if head != "replaced-token")


@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_vocabulary_grows_as_in_transformers(model_type):
    folder = saved_folder(FAMILIES[model_type], "masked-lm")
    models = [library.AutoModelForMaskedLM.from_pretrained(folder) for library in (headway, transformers)]
    inputs = {"input_ids": torch.tensor([[11, 12, 13]]), "attention_mask": torch.ones(1, 3, dtype=torch.long)}
    for model in models:
        torch.manual_seed(0)
        table = model.resize_token_embeddings(103, pad_to_multiple_of=8)
        assert table.weight.shape[0] == model.config.vocab_size == model.get_output_embeddings().weight.shape[0] == 104
    ours, theirs = (model.get_input_embeddings().weight.detach() for model in models)
    assert torch.equal(ours[:101], theirs[:101])
    assert torch.allclose(ours[101:], theirs[101:], atol=1e-3)
    with torch.no_grad():
        found, expected = (model(**inputs).logits for model in models)
    assert torch.allclose(found, expected, atol=float(expected.abs().max()) * 1e-3)


PARTED = [
    pytest.param(case, head, id=f"{case.model_type}-{head}")
    for case in FAMILIES.values()
    for head in ("base", "sequence-classification", "masked-lm")
]


@pytest.mark.parametrize(("case", "head"), PARTED)
def test_parts_under_the_hubs_names_hold_as_many_numbers_as_in_transformers(case, head):
    ours = getattr(headway, case.family.class_names[head])(case.config(head))
    theirs = transformers_model(case, head)
    assert size(ours) == size(theirs)
    assert size(ours.base_model) == size(theirs.base_model)
    for name in ours.hub_parts:
        matrix = theirs.get_output_embeddings()  # counted with the token table here
        expected = {weight for weight in getattr(theirs, name).parameters() if matrix is None or weight is not matrix.weight}
        expected |= {*theirs.base_model.parameters()} if getattr(theirs, name) is theirs.base_model else set()
        assert size(getattr(ours, name)) == sum(weight.numel() for weight in expected), name
        ours.freeze(name)
        assert size(ours) - ours.num_parameters(only_trainable=True) == size(getattr(ours, name))
        ours.unfreeze(name)


@pytest.mark.parametrize("case", FAMILIES.values(), ids=lambda case: case.model_type)
def test_layers_are_reached_by_the_path_that_each_family_has_in_transformers(case):
    found = model = getattr(headway, case.family.class_names["masked-lm"])(case.config("masked-lm"))
    modules = transformers_model(case, "masked-lm").named_modules()
    path, layers = next((name, module) for name, module in modules if isinstance(module, torch.nn.ModuleList))
    for step in path.split("."):
        found = getattr(found, step)
    assert found is model.layers if len(layers) == len(model.layers) else size(found) == size(layers)


def size(part):
    return sum(weight.numel() for weight in part.parameters())
