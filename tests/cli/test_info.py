import json

import pytest

from headway import __version__
from headway.architecture import weight_shapes
from headway.checkpoints import save_checkpoint
from headway.cli.commands import info
from headway.cli.main import main
from headway.families import family

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]


@pytest.fixture
def model(tmp_path, tiny_config, random_weights):
    config = tiny_config.replace(id2label={0: "anger", 1: "joy", 2: "fear", 3: "love", 4: "none"})
    weights = random_weights(weight_shapes(family("bert").architecture(config, "sequence-classification")))
    save_checkpoint(tmp_path / "model", config=config, head="sequence-classification", weights=weights)
    (tmp_path / "model" / "vocab.txt").write_text("\n".join(VOCABULARY))
    return tmp_path / "model"


def printed(capsys, *words) -> str:
    assert main(["info", *map(str, words)]) == 0
    return capsys.readouterr().out


def facts(capsys, *words):
    return json.loads(printed(capsys, "--json", *words))


def test_the_installation_is_described(capsys):
    found = facts(capsys)
    assert found["headway"] == __version__
    assert found["numpy"][0].isdigit()
    assert found["hub cache"].endswith("(offline)")  # as tests are
    assert " cores usable, " in found["processor"]
    assert "{" not in found["processor"]
    assert found.keys() >= {"python", "system", "processor", "onnxruntime", "tokenizers", "torch", "shipped models"}


def test_what_is_not_installed_says_how_to_get_it(capsys, monkeypatch):
    import importlib.metadata

    def version(name):
        if name == "torch":
            raise importlib.metadata.PackageNotFoundError
        return "1"

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert facts(capsys)["torch"] == "not installed: pip install 'headway[train]'"


def test_shipped_models_are_listed_with_what_they_are(capsys, model, monkeypatch):
    monkeypatch.setattr("headway.checkpoints.shipped_models", lambda: {"mood": model})
    assert facts(capsys)["shipped models"]["mood"].startswith("BertForSequenceClassification, ")


def test_a_model_is_described(capsys, model):
    found = facts(capsys, model)
    parameters = 28 * (101 + 41 + 2 + 2) + 3 * (4 * 28 * 29 + 37 * 29 + 28 * 38 + 4 * 28) + 28 * 29 + 5 * 29
    assert found | {"tokenizer": None, "files": None} == {
        "folder": str(model),
        "family": "bert",
        "head": "sequence-classification",
        "labels": ["anger", "joy", "fear", "love", "none"],
        "layers": 3,
        "hidden size": 28,
        "positions": 41,
        "vocabulary": 101,
        "parameters": parameters,
        "weights": "model.safetensors; all there",
        "tokenizer": None,
        "files": None,
    }
    assert found["tokenizer"].startswith("7 pieces, fingerprint ")
    assert found["files"].keys() == {"config.json", "model.safetensors", "vocab.txt"}
    assert found["files"]["vocab.txt"] == len("\n".join(VOCABULARY))


def test_the_table_says_the_same_in_lines(capsys, model):
    lines = printed(capsys, model).splitlines()
    assert "labels       5: anger, joy, fear, love, none" in lines
    assert any(line.startswith("files        config.json        ") for line in lines)
    assert any(line.startswith("             vocab.txt          34 bytes") for line in lines)


def test_a_head_without_weights_shows(capsys, model):
    config = json.loads((model / "config.json").read_text()) | {"architectures": ["BertForMaskedLM"]}
    (model / "config.json").write_text(json.dumps(config))
    found = facts(capsys, model)
    assert found["head"] == "masked-lm"
    assert "labels" not in found
    assert "weights are made anew at random" in found["weights"]
    assert "cls.predictions.bias" in found["weights"]


def test_a_model_of_two_files_is_described_without_weights_and_tokenizer(capsys, model):
    (model / "model.safetensors").unlink()
    (model / "vocab.txt").unlink()
    found = facts(capsys, model)
    assert found["weights"] == "none here"
    assert found["tokenizer"] == "none here"
    (model / "model_int8.onnx").touch()
    assert facts(capsys, model)["weights"] == "model_int8.onnx"
    (model / "onnx").mkdir()
    (model / "onnx" / "model.onnx").touch()
    assert facts(capsys, model)["weights"] == "model_int8.onnx, onnx/model.onnx"


def test_a_damaged_tokenizer_shows_and_the_rest_is_still_told(capsys, model):
    (model / "tokenizer.json").write_text("{")
    assert facts(capsys, model)["tokenizer"].startswith("cannot be loaded: ")


def test_a_damaged_model_is_one_clear_line(capsys, model):
    (model / "model.safetensors").write_bytes(b"x" * 100)
    assert main(["info", str(model)]) == 1
    assert "is not a whole safetensors file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 KB"), (123_456, "123 KB"), (90_868_376, "90.9 MB"), (4.4e9, "4.4 GB")],
)
def test_sizes_are_told_in_units_that_one_reads(size, text):
    assert info._bytes(size) == text
