"""The names that ``headway`` promises. Adding one is a decision; removing one breaks somebody."""

import importlib
import subprocess
import sys

import pytest

import headway

PROMISED = {
    "AutoConfig",
    "AutoModel",
    "AutoModelForMaskedLM",
    "AutoModelForSequenceClassification",
    "AutoTokenizer",
    "CheckpointError",
    "ConfigError",
    "DataError",
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
    "pipeline",
}
OF_TORCH = {"AutoModel", "AutoModelForMaskedLM", "AutoModelForSequenceClassification", "Trainer"}
PACKAGES = ["architecture", "checkpoints", "graph", "inference", "tasks", "text"]

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
    assert set(dir(headway)) == PROMISED


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


def test_a_name_that_is_not_there_is_an_error_that_lists_those_that_are():
    with pytest.raises(AttributeError, match="has no attribute 'AutoModelForChess'; it has AutoConfig, AutoModel"):
        headway.AutoModelForChess  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_lists_it_has(package):
    module = importlib.import_module(f"headway.{package}")
    assert module.__all__
    assert not [name for name in module.__all__ if not hasattr(module, name)]
