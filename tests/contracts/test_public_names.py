"""The names that ``headway`` promises. Adding one is a decision; removing one breaks somebody."""

import importlib
import pickle
import subprocess
import sys

import pytest

import headway

PROMISED = {
    "AutoConfig",
    "AutoModel",
    "AutoModelForMaskedLM",
    "AutoModelForMultipleChoice",
    "AutoModelForNextSentencePrediction",
    "AutoModelForPreTraining",
    "AutoModelForQuestionAnswering",
    "AutoModelForSequenceClassification",
    "AutoModelForTokenClassification",
    "AutoTokenizer",
    "CheckpointError",
    "ConfigError",
    "DataCollatorForLanguageModeling",
    "DataCollatorForMultipleChoice",
    "DataCollatorForTokenClassification",
    "DataCollatorForWholeWordMask",
    "DataCollatorWithPadding",
    "DataError",
    "DefaultDataCollator",
    "EngineError",
    "HeadwayError",
    "InputError",
    "MissingExtraError",
    "Pipeline",
    "TaskError",
    "TokenizerError",
    "Trainer",
    "TrainingArguments",
    "WeightError",
    "__version__",
    "default_data_collator",
    "evaluate",
    "pipeline",
    "predict_files",
}
OF_TORCH = {name for name in PROMISED if name.startswith("AutoModel") or "ollator" in name} | {"Trainer"}
TUTORIALS = """
    BertConfig BertForMaskedLM BertForMultipleChoice BertForNextSentencePrediction BertForPreTraining
    BertForQuestionAnswering BertForSequenceClassification BertForTokenClassification BertModel BertTokenizer BertTokenizerFast
    CamembertForTokenClassification CamembertTokenizer DebertaForSequenceClassification DebertaTokenizerFast
    DebertaV2ForQuestionAnswering DebertaV2ForTokenClassification DebertaV2Tokenizer DistilBertConfig
    DistilBertForQuestionAnswering DistilBertForSequenceClassification DistilBertForTokenClassification DistilBertModel
    DistilBertTokenizer DistilBertTokenizerFast ElectraForMaskedLM ElectraForPreTraining ElectraForTokenClassification
    ElectraTokenizerFast MPNetModel MPNetTokenizer ModernBertForMaskedLM ModernBertForSequenceClassification ModernBertModel
    RobertaConfig RobertaForMaskedLM RobertaForSequenceClassification RobertaModel RobertaTokenizer RobertaTokenizerFast
    XLMRobertaForSequenceClassification XLMRobertaModel XLMRobertaTokenizer
""".split()
PACKAGES = ["architecture", "checkpoints", "evaluation", "graph", "inference", "tasks", "text"]

WITHOUT_TORCH = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torch" else find(name, package)
import headway
try:
    headway.{name}
except headway.MissingExtraError as error:
    print(error)
"""


def test_the_public_names_are_those_promised():
    assert set(headway.__all__) == PROMISED
    assert set(dir(headway)) > PROMISED


@pytest.mark.parametrize("name", sorted(PROMISED - OF_TORCH))
def test_each_light_name_is_there(name):
    assert getattr(headway, name) is not None


@pytest.mark.train
@pytest.mark.parametrize("name", sorted(OF_TORCH))
def test_each_name_that_needs_torch_is_there_with_it(name):
    assert getattr(headway, name).__name__ == name


@pytest.mark.parametrize("name", sorted(OF_TORCH))
def test_each_name_that_needs_torch_says_what_to_install_without_it(name):
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH.format(name=name)], capture_output=True, text=True, check=True)
    assert "pip install 'headway[train]'" in done.stdout


@pytest.mark.train
@pytest.mark.parametrize("name", TUTORIALS)
def test_names_of_tutorials_are_there(name):
    assert name in dir(headway)
    found = getattr(headway, name)
    assert found.__name__ == name
    assert found is getattr(headway, name)
    assert found.__doc__.endswith(".")
    assert pickle.loads(pickle.dumps(found)) is found


def test_configurations_and_tokenizers_of_tutorials_need_no_torch():
    code = "import sys, headway; headway.BertConfig(); headway.BertTokenizer; headway.DistilBertTokenizerFast; dir(headway)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('torch' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_a_model_of_tutorials_says_what_to_install_where_there_is_no_torch():
    code = WITHOUT_TORCH.format(name="BertForSequenceClassification")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "headway.BertForSequenceClassification needs the package 'torch'" in done.stdout
    assert "pip install 'headway[train]'" in done.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "BertForSequenceClasification",
            r"has no attribute 'BertForSequenceClasification'\. Did you mean 'BertForSequenceClassi",
        ),
        ("AutoModelForMaskedLm", r"Did you mean 'AutoModelForMaskedLM'\?"),
        ("Xyz", r"has no attribute 'Xyz'\. It has AutoConfig, AutoModel, .*, predict_files, and its families' class names\."),
        (
            "BertPreTrainedModel",
            r"'BertPreTrainedModel'\. Models here are not made by inheriting\. Write an nn\.Module of your own",
        ),
        ("AutoModelForCausalLM", r"Headway has encoders, which read a text whole and write none; ForMaskedLM fills gaps\."),
        ("TFBertModel", r"Headway trains with torch alone\. Without the prefix it is BertModel\."),
        ("GPT2Model", r"Headway does not know the family GPT2\. It has Albert, Bert, .*, XLMRoberta\.$"),
        ("BretModel", r"Did you mean 'BertModel'\?"),
        ("AutoForTokenClassification", r"Did you mean 'AutoModelForTokenClassification'\?"),
        ("xyz", r"^module 'headway' has no attribute 'xyz'\.$"),
    ],
)
def test_a_name_that_is_not_there_is_an_error_that_names_the_nearest(name, message):
    with pytest.raises(AttributeError, match=message):
        getattr(headway, name)


def test_looking_for_a_module_or_a_private_name_loads_no_families():
    code = "import sys, headway; hasattr(headway, '__path__x'), hasattr(headway, 'neural'), hasattr(headway, '_private')"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('headway.families' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_lists_it_has(package):
    module = importlib.import_module(f"headway.{package}")
    assert module.__all__
    assert not [name for name in module.__all__ if not hasattr(module, name)]
