import contextlib
import json
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from headway.architecture import weight_shapes
from headway.checkpoints import load_checkpoint, save_checkpoint
from headway.checkpoints.saving import divide
from headway.errors import CheckpointError, ConfigError, WeightError
from headway.families import family

BERT = family("bert")

# Saves to FOLDER, and is killed at the n-th call that changes the disk, for every n: one child for each.
KILLED_SAVES = """
import os, shutil, signal, sys
import numpy as np
from headway.architecture import weight_shapes
from headway.checkpoints import save_checkpoint, saving
from headway.families import family

folder, start, max_shard_bytes, labels = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
config = family("bert").config(vocab_size=53, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=17,
    max_position_embeddings=19, num_labels=labels)
shapes = weight_shapes(family("bert").architecture(config, "sequence-classification"))
weights = {name: np.full(shape, labels, np.float32) for name, shape in shapes.items()}
count = 0

def dying(function, kill_at):
    def call(*arguments, **keywords):
        global count
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
        return function(*arguments, **keywords)
    return call

def save(target, kill_at):
    changing = [(os, "replace"), (os, "unlink"), (os, "rmdir"), (os, "mkdir"), (os, "fsync"), (saving, "write_safetensors")]
    for module, name in changing:
        setattr(module, name, dying(getattr(module, name), kill_at))
    save_checkpoint(target, config=config, head="sequence-classification", weights=weights, max_shard_bytes=max_shard_bytes)

kill_at = 0
while True:
    target = f"{folder}/{kill_at}"
    if start:
        shutil.copytree(start, target)
    child = os.fork()
    if child == 0:
        save(target, kill_at)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:  # it had fewer calls than that
        print(kill_at)
        break
    kill_at += 1
"""


@pytest.fixture
def weights_of(tiny_config, random_weights):
    def weights(head, config=tiny_config, seed=0):
        return random_weights(weight_shapes(BERT.architecture(config, head)), seed)

    return weights


def test_files_carry_the_hub_s_names_and_what_transformers_looks_for(tmp_path, tiny_config, weights_of):
    weights = weights_of("sequence-classification")
    save_checkpoint(tmp_path / "new" / "model", config=tiny_config, head="sequence-classification", weights=weights)
    assert sorted(path.name for path in (tmp_path / "new" / "model").iterdir()) == ["config.json", "model.safetensors"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model"]
    with safe_open(tmp_path / "new" / "model" / "model.safetensors", framework="numpy") as file:
        assert file.metadata() == {"format": "pt"}
        query = file.get_tensor("bert.encoder.layer.2.attention.self.query.weight")
        value = file.get_tensor("bert.encoder.layer.2.attention.self.value.bias")
        assert "classifier.bias" in file.keys()  # noqa: SIM118
    np.testing.assert_array_equal(query, weights["layers.2.attention.qkv.weight"][:28])
    np.testing.assert_array_equal(value, weights["layers.2.attention.qkv.bias"][56:])
    written = json.loads((tmp_path / "new" / "model" / "config.json").read_text())
    assert written == tiny_config.to_dict() | {"architectures": ["BertForSequenceClassification"]}


def test_what_was_saved_as_float32_does_not_call_itself_anything_else(tmp_path, tiny_config, weights_of):
    config = tiny_config.replace(torch_dtype="bfloat16", dtype="float16")
    save_checkpoint(tmp_path / "model", config=config, head="base", weights=weights_of("base"))
    written = json.loads((tmp_path / "model" / "config.json").read_text())
    assert (written["torch_dtype"], written["dtype"]) == ("float32", "float32")


@pytest.mark.parametrize(("dtype", "item"), [("float32", 4), ("float16", 2), ("bfloat16", 2)])
def test_weights_are_saved_as_the_numbers_that_were_asked_for(tmp_path, tiny_config, weights_of, dtype, item):
    weights = weights_of("base")
    save_checkpoint(tmp_path / "model", config=tiny_config, head="base", weights=weights, dtype=dtype, max_shard_bytes=40_000)
    index = json.loads((tmp_path / "model" / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == item * sum(array.size for array in weights.values())
    assert all(path.stat().st_size < 50_000 for path in (tmp_path / "model").glob("*.safetensors"))
    written = json.loads((tmp_path / "model" / "config.json").read_text())
    assert (written.get("dtype") or "float32") == dtype
    found = load_checkpoint(tmp_path / "model").weights
    for name, array in weights.items():
        np.testing.assert_allclose(found[name], array, rtol={"float32": 0, "float16": 2**-11, "bfloat16": 2**-8}[dtype])


def test_numbers_that_float16_cannot_hold_are_not_saved(tmp_path, tiny_config, weights_of):
    weights = weights_of("base")
    save_checkpoint(tmp_path / "model", config=tiny_config, head="base", weights=weights)
    large = {**weights, "embeddings.norm.bias": weights["embeddings.norm.bias"] + np.float32(70_000)}
    with pytest.raises(WeightError, match=r"LayerNorm\.bias has numbers as large as 7e\+04, beyond the 65504 that float16 holds"):
        save_checkpoint(tmp_path / "model", config=tiny_config, head="base", weights=large, dtype="float16")
    assert (load_checkpoint(tmp_path / "model").weights["embeddings.norm.bias"] == weights["embeddings.norm.bias"]).all()


def test_other_numbers_are_refused(tmp_path, tiny_config, weights_of):
    with pytest.raises(ConfigError, match=r"Weights cannot be saved as 'int8'\. Choose float32, float16, bfloat16"):
        save_checkpoint(tmp_path / "model", config=tiny_config, head="base", weights=weights_of("base"), dtype="int8")


def test_other_forms_of_the_old_weights_go_with_them(tmp_path, tiny_config, weights_of):
    """A graph of the old weights would be taken for the model by ``pipeline``, and a pickle by whoever prefers pickles."""
    pickles = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin")
    graphs = ("model.onnx", "model_int8.onnx", "onnx/model.onnx", "onnx/model_quantized.onnx")
    stays = ("tokenizer.json", "README.md", "training_args.bin", "tf_model.h5", "adapter_model.safetensors", "onnx/config.json")
    folder = tmp_path / "model"
    (folder / "onnx").mkdir(parents=True)
    for name in (*pickles, *graphs, *stays):
        (folder / name).write_text("old")
    save_checkpoint(folder, config=tiny_config, head="base", weights=weights_of("base"))
    left = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert sorted(left) == sorted(["config.json", "model.safetensors", *stays])


def test_more_than_a_file_holds_is_divided_and_loads_the_same(tmp_path, tiny_config, weights_of):
    weights = weights_of("masked-lm")
    save_checkpoint(tmp_path / "model", config=tiny_config, head="masked-lm", weights=weights, max_shard_bytes=20_000)
    shards = sorted(path.name for path in (tmp_path / "model").glob("*.safetensors"))
    assert shards == [f"model-{n:05}-of-{len(shards):05}.safetensors" for n in range(1, len(shards) + 1)]
    assert len(shards) > 3
    index = json.loads((tmp_path / "model" / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(array.nbytes for array in weights.values())
    assert sorted(set(index["weight_map"].values())) == shards
    found = load_checkpoint(tmp_path / "model").weights
    assert all(found[name].tobytes() == array.tobytes() for name, array in weights.items())


@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=20), max_bytes=st.integers(1, 97))
def test_division_keeps_every_weight_in_order_and_every_file_within_its_limit(sizes, max_bytes):
    groups = divide({str(index): size for index, size in enumerate(sizes)}, max_bytes=max_bytes)
    assert [int(name) for group in groups for name in group] == list(range(len(sizes)))
    assert all(len(group) == 1 or sum(sizes[int(name)] for name in group) <= max_bytes for group in groups)


@pytest.mark.parametrize(("first", "second"), [(10**9, 20_000), (20_000, 10**9), (20_000, 60_000)])
def test_saving_again_replaces_the_model_and_nothing_else(tmp_path, tiny_config, weights_of, first, second):
    folder = tmp_path / "model"
    save_checkpoint(folder, config=tiny_config, head="base", weights=weights_of("base"), max_shard_bytes=first)
    (folder / "tokenizer.json").write_text("{}")
    new = weights_of("base", seed=1)
    save_checkpoint(folder, config=tiny_config, head="base", weights=new, max_shard_bytes=second)
    found = load_checkpoint(folder).weights
    assert all(found[name].tobytes() == array.tobytes() for name, array in new.items())
    files = {path.name for path in folder.iterdir()}
    assert "tokenizer.json" in files
    assert ("model.safetensors" in files) == (second == 10**9)
    assert not any(name.startswith(".") for name in files)
    assert len({name.partition("-of-")[2] for name in files if "-of-" in name}) <= 1


def test_a_model_may_be_saved_over_the_file_that_it_reads_from(tmp_path, tiny_config, weights_of):
    weights = weights_of("base")
    save_checkpoint(tmp_path, config=tiny_config, head="base", weights=weights)
    found = load_checkpoint(tmp_path)
    save_checkpoint(tmp_path, config=tiny_config, head="base", weights={name: array * 2 for name, array in weights.items()})
    assert all(found.weights[name].tobytes() == array.tobytes() for name, array in weights.items())
    save_checkpoint(tmp_path, config=found.config, head="base", weights=found.weights)
    again = load_checkpoint(tmp_path).weights
    assert all(again[name].tobytes() == array.tobytes() for name, array in weights.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers.1.attention.out.bias": None}, "layers.1.attention.out.bias is missing"),
        ({"head.classifier.weight": np.ones((5, 28), np.float32)}, "head.classifier.weight is not part of it"),
        ({"embeddings.norm.bias": np.ones(27, np.float32)}, r"embeddings.norm.bias is \(27,\), not \(28,\)"),
    ],
)
def test_weights_that_do_not_fit_the_configuration_are_not_saved(tmp_path, tiny_config, weights_of, change, message):
    weights = {name: array for name, array in (weights_of("base") | change).items() if array is not None}
    with pytest.raises(
        WeightError, match=f"These are not the weights of a base model of this configuration: {message}. Nothing was saved"
    ):
        save_checkpoint(tmp_path / "model", config=tiny_config, head="base", weights=weights)
    assert list(tmp_path.iterdir()) == []


def test_a_base_model_is_saved_without_a_pooler_if_it_has_none(tmp_path, tiny_config, weights_of):
    weights = {name: array for name, array in weights_of("base").items() if not name.startswith("pooler.")}
    save_checkpoint(tmp_path / "model", config=tiny_config, head="base", weights=weights)
    assert load_checkpoint(tmp_path / "model").architecture.pooler is None


def test_a_file_in_the_way_is_an_error_and_stays(tmp_path, tiny_config, weights_of):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(CheckpointError, match="model is a file, so no model can be saved there"):
        save_checkpoint(tmp_path / "model", config=tiny_config, head="base", weights=weights_of("base"))
    assert (tmp_path / "model").read_text() == "mine"


def test_a_disk_that_fails_leaves_the_old_model(tmp_path, tiny_config, weights_of, monkeypatch):
    folder = tmp_path / "model"
    save_checkpoint(folder, config=tiny_config, head="base", weights=weights_of("base"))

    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("headway.checkpoints.saving.write_safetensors", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(folder, config=tiny_config.replace(num_labels=7), head="base", weights=weights_of("base", seed=1))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert load_checkpoint(folder).config.num_labels == 5


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(None, 10**9, id="new folder"),
        pytest.param(10**9, 10**9, id="one file over one file"),
        pytest.param(10**9, 6_000, id="shards over one file"),
        pytest.param(60_000, 10**9, id="one file over shards"),
        pytest.param(60_000, 6_000, id="shards over shards"),
    ],
)
def test_killed_at_any_call_that_changes_the_disk_a_save_leaves_the_old_model_or_the_new(
    tmp_path, tiny_config, weights_of, old, new
):
    head = "sequence-classification"
    if old is not None:
        save_checkpoint(tmp_path / "old", config=tiny_config, head=head, weights=weights_of(head), max_shard_bytes=old)
        (tmp_path / "old" / "tokenizer.json").write_text("{}")
    (tmp_path / "killed").mkdir()
    arguments = [str(tmp_path / "killed"), str(tmp_path / "old") if old else "", str(new), "3"]
    done = subprocess.run([sys.executable, "-c", KILLED_SAVES, *arguments], check=True, capture_output=True, text=True)
    seen = []
    for kill_at in range(int(done.stdout) + 1):
        folder = tmp_path / "killed" / str(kill_at)
        if old is None and not folder.exists():
            seen.append(False)
            continue
        found = load_checkpoint(folder)
        is_new = found.config.num_labels == 3
        expected = dict.fromkeys(found.weights, 3) if is_new else weights_of(head)
        assert all((array == expected[name]).all() for name, array in found.weights.items())
        assert (folder / "tokenizer.json").exists() == (old is not None)
        seen.append(is_new)
    assert seen == sorted(seen)
    assert 3 <= sum(seen) < len(seen) - 3


SAVES_FOREVER = """
import sys
from headway.checkpoints import load_checkpoint, save_checkpoint

models = [load_checkpoint(path) for path in sys.argv[2:]]
print("ready", flush=True)
while True:
    for model in models:
        save_checkpoint(sys.argv[1], config=model.config, head=model.head, weights=model.weights)
"""


@contextlib.contextmanager
def saving_forever(folder, *models):
    """Another process that saves these models to the folder in turn, and is killed where the block ends."""
    with subprocess.Popen([sys.executable, "-c", SAVES_FOREVER, folder, *models], stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            yield writer
        finally:
            writer.kill()


def test_a_reader_beside_a_writer_sees_one_model_or_the_other(tmp_path, tiny_config, weights_of):
    heads = {"base": tiny_config, "sequence-classification": tiny_config.replace(num_hidden_layers=2, num_labels=3)}
    for head, config in heads.items():
        save_checkpoint(tmp_path / head, config=config, head=head, weights=weights_of(head, config))
    folder = tmp_path / "model"
    save_checkpoint(folder, config=tiny_config, head="base", weights=weights_of("base"))
    expected = {head: weights_of(head, config) for head, config in heads.items()}
    seen = Counter()
    with saving_forever(folder, *(tmp_path / head for head in heads)) as writer:
        while seen.total() < 200 or (len(seen) < 2 and writer.poll() is None):
            found = load_checkpoint(folder)
            assert all(array.tobytes() == expected[found.head][name].tobytes() for name, array in found.weights.items())
            seen[found.head] += 1
    assert set(seen) == set(heads)


def test_a_writer_killed_at_some_moment_leaves_one_of_its_models_whole(tmp_path, tiny_config, weights_of):
    heads = {"base": tiny_config, "sequence-classification": tiny_config.replace(num_hidden_layers=2, num_labels=3)}
    for head, config in heads.items():
        save_checkpoint(tmp_path / head, config=config, head=head, weights=weights_of(head, config))
    folder = tmp_path / "model"
    for wait in (0.03, 0.011, 0.047):
        with saving_forever(folder, *(tmp_path / head for head in heads)):
            while not folder.exists():
                time.sleep(0.001)
            time.sleep(wait)
        found = load_checkpoint(folder)
        expected = weights_of(found.head, heads[found.head])
        assert all(array.tobytes() == expected[name].tobytes() for name, array in found.weights.items())
    save_checkpoint(folder, config=tiny_config, head="base", weights=weights_of("base"))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
