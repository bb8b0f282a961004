"""Sessions: damaged files and wrong inputs in clear words, what a file says about itself, several threads at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from headway.architecture import weight_shapes
from headway.core.batching import TokenSequence
from headway.core.padding import padded
from headway.errors import CheckpointError, EngineError
from headway.families import family
from headway.graph import Session, build_graph


@pytest.fixture(scope="module")
def model(tiny_config, random_weights):
    architecture = family("bert").architecture(tiny_config, "sequence-classification")
    weights = random_weights(weight_shapes(architecture))
    return build_graph(architecture, weights, precision="int8", metadata={"headway.tokenizer": "abc"}).SerializeToString()


def batch(length, *, largest_id=101, rows=3):
    generator = np.random.default_rng(length)
    return padded([TokenSequence(generator.integers(1, largest_id, length).tolist()) for _ in range(rows)])


def test_a_session_runs_a_file_as_it_runs_bytes(model, tmp_path):
    path = tmp_path / "model_int8.onnx"
    path.write_bytes(model)
    from_file, from_bytes = Session(path, threads=1), Session(model, threads=2)
    assert from_file.output_names == ("logits",)
    np.testing.assert_array_equal(from_file.run(**batch(7))["logits"], from_bytes.run(**batch(7))["logits"])


def test_a_session_tells_what_its_file_says(model):
    metadata = Session(model, threads=1).metadata
    assert metadata["headway.precision"] == "int8"
    assert metadata["headway.tokenizer"] == "abc"


@pytest.mark.parametrize("keep", [0, 1, 1000, -7], ids=["empty", "one byte", "start", "nearly all"])
def test_a_damaged_file_is_named(model, tmp_path, capfd, keep):
    path = tmp_path / "model_int8.onnx"
    path.write_bytes(model[:keep])
    with pytest.raises(
        CheckpointError, match=r"model_int8\.onnx could not be loaded as an ONNX model \(.+ Export or download it again"
    ):
        Session(path, threads=1)
    assert capfd.readouterr() == ("", "")  # ONNX Runtime adds nothing of its own


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere\.onnx could not be loaded"):
        Session(tmp_path / "nowhere.onnx", threads=1)


@pytest.mark.parametrize("wrong", [batch(5, largest_id=5000), batch(43)], ids=["an id too large", "a text too long"])
def test_inputs_that_the_model_has_no_vectors_for_are_refused(model, capfd, wrong):
    session = Session(model, threads=1)
    with pytest.raises(EngineError, match=r"could not run a batch of shape \(3, \d+\) .*tokenizer is the model's own"):
        session.run(**wrong)
    assert session.run(**batch(5))["logits"].shape == (3, 5)  # and it goes on
    assert capfd.readouterr() == ("", "")


def test_inputs_go_by_their_names(model):
    session = Session(model, threads=1)
    inputs = batch(5)
    others = {"position_ids": inputs["input_ids"], **dict(reversed(inputs.items()))}
    np.testing.assert_array_equal(session.run(**others)["logits"], session.run(**inputs)["logits"])
    with pytest.raises(EngineError, match=r"also reads token_type_ids; it was given input_ids, attention_mask\. Pass each"):
        session.run(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])


def test_a_session_knows_which_outputs_have_a_row_for_each_token(tiny_config, random_weights):
    architecture = family("bert").architecture(tiny_config, "base")
    graph = build_graph(architecture, random_weights(weight_shapes(architecture)))
    assert Session(graph.SerializeToString(), threads=1).token_outputs == {"last_hidden_state"}


def test_several_threads_share_one_session(model):
    session = Session(model, threads=1)
    batches = [batch(length) for length in (3, 41, 7, 1, 29, 13, 5, 37) * 5]
    expected = [session.run(**inputs)["logits"] for inputs in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda inputs: session.run(**inputs)["logits"], batches))
    for ours, alone in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, alone)
