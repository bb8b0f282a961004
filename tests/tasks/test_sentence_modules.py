import json

import numpy as np
import pytest

from headway.checkpoints.tensors import write_safetensors
from headway.errors import CheckpointError, TaskError, WeightError
from headway.tasks.sentence_modules import ACTIVATIONS, Dense, LayerNorm, UnitLength, read_dense, read_norm
from headway.tasks.sentence_transformer import read_side_files

WEIGHT = np.array([[1, 2, 0], [0, -1, 1]], np.float32)
BIAS = np.array([0.5, -0.5], np.float32)
VECTOR = np.array([1, 1, 2], np.float32)
CONFIG = {"in_features": 3, "out_features": 2, "bias": True, "activation_function": "torch.nn.modules.linear.Identity"}


def module(folder, **arrays):
    """A module's folder with these weights."""
    folder.mkdir()
    write_safetensors(folder / "model.safetensors", arrays, kind="F32")
    return folder


def test_a_dense_layer_by_hand(tmp_path):
    folder = module(tmp_path / "2_Dense", **{"linear.weight": WEIGHT, "linear.bias": BIAS})
    np.testing.assert_allclose(read_dense(folder, CONFIG)(VECTOR), [3.5, 0.5])
    np.testing.assert_allclose(read_dense(folder, CONFIG | {"bias": False})(VECTOR), [3, 1])
    hyperbolic = {key: value for key, value in CONFIG.items() if key != "activation_function"}
    np.testing.assert_allclose(read_dense(folder, hyperbolic)(VECTOR), np.tanh([3.5, 0.5]), rtol=1e-6)


def test_a_layer_norm_by_hand(tmp_path):
    folder = module(tmp_path / "3_LayerNorm", **{"norm.weight": np.float32([1, 2, 1]), "norm.bias": np.float32([0, 1, 0])})
    deviation = (2 / 9) ** 0.5
    expected = [-1 / 3 / deviation, -2 / 3 / deviation + 1, 2 / 3 / deviation]
    np.testing.assert_allclose(read_norm(folder, {"dimension": 3})(VECTOR), expected, rtol=1e-4)


def test_unit_length_is_unit_length():
    np.testing.assert_allclose(UnitLength()(np.float32([3, 0, 4])), [0.6, 0, 0.8])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Tanh", 0.76159), ("Identity", 1.0), ("ReLU", 1.0), ("GELU", 0.84134), ("Sigmoid", 0.73106), ("SiLU", 0.73106)],
)
def test_activations_of_one_and_of_zero(name, expected):
    found = ACTIVATIONS[name](np.float32([1, 0, -20]))
    assert found.dtype == np.float32
    assert found[0] == pytest.approx(expected, abs=1e-5)
    assert found[1] == pytest.approx(0.5 if name == "Sigmoid" else 0)
    assert found[2] == pytest.approx({"Tanh": -1, "Identity": -20}.get(name, 0), abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        pytest.param(
            {"activation_function": "torch.nn.modules.activation.Softplus"},
            TaskError,
            r"asks for the activation 'torch\.nn\.modules\.activation\.Softplus', which is not.*known are Tanh, Identity",
            id="activation",
        ),
        pytest.param(
            {"module_input_name": "token_embeddings"},
            TaskError,
            "module_input_name 'token_embeddings', but only one that makes a sentence's vector",
            id="tokens",
        ),
        pytest.param(
            {"out_features": 5}, WeightError, r"has linear\.bias with the shape \(2,\), not \(5,\) as its config", id="shape"
        ),
    ],
)
def test_dense_layers_that_cannot_be_followed_are_refused(tmp_path, changes, error, message):
    folder = module(tmp_path / "2_Dense", **{"linear.weight": WEIGHT, "linear.bias": BIAS})
    with pytest.raises(error, match=message):
        read_dense(folder, CONFIG | changes)


def test_weights_that_are_missing_are_said(tmp_path):
    folder = module(tmp_path / "2_Dense", **{"linear.weight": WEIGHT})
    with pytest.raises(
        WeightError, match=r"2_Dense has no linear\.bias, so sentence vectors cannot be computed. Download or save"
    ):
        read_dense(folder, CONFIG)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no model\.safetensors"):
        read_dense(folder, CONFIG)


@pytest.mark.parametrize("step", [Dense(WEIGHT, BIAS, np.tanh), LayerNorm(np.ones(3, np.float32), np.zeros(3, np.float32))])
def test_a_vector_of_another_size_is_refused(step):
    with pytest.raises(TaskError, match="reads vectors of 3 values, but the pooling gives 5: they belong to different models"):
        step(np.ones(5, np.float32))


@pytest.mark.parametrize("modules", ['[{"type": "sentence_transformers.models.Pooling"}]', '["Pooling"]', "3"])
def test_a_list_of_modules_that_is_none_is_refused(tmp_path, modules):
    (tmp_path / "modules.json").write_text(modules)
    with pytest.raises(CheckpointError, match=r"modules.json is no list of modules with a type and a path each"):
        read_side_files(tmp_path)
