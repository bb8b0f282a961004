"""From a model's name to an engine: which file runs, what is built and kept, and what is refused."""

import json
import os
import shutil
import threading

import numpy as np
import pytest

from headway.architecture.cost import forward_operations
from headway.checkpoints import load_checkpoint, load_config, save_checkpoint
from headway.core.batching import TokenSequence
from headway.core.hashes import content_hash
from headway.core.updates import COMMITTED, atomic_update
from headway.errors import CheckpointError, ConfigError, EngineError, TaskError, WeightError
from headway.families import family
from headway.graph import export_model
from headway.graph.names import PRODUCTS, UNSIGNED
from headway.graph.origin import notes
from headway.inference import OnnxEngine, load_engine
from headway.inference.engine import LEAST_SHARED, checked_threads, unpadded, usable_cores
from headway.inference.loading import build_cached, ready_files

SEQUENCES = [TokenSequence([2, 7, 31, 3]), TokenSequence([2, 3]), TokenSequence([2, 9, 3, 11, 3], [0, 0, 0, 1, 1])]


@pytest.fixture
def folder(model_folder):
    return model_folder("sequence-classification")


@pytest.fixture
def exported(model_folder, tmp_path, cache):
    """A folder with graphs and no weights, as ``headway export`` leaves it."""
    source, target = model_folder("sequence-classification"), tmp_path / "exported"
    shutil.copytree(source, target)
    config = load_config(source)
    for precision, name in (("fp32", "model.onnx"), ("int8", "model_int8.onnx")):
        shutil.copy(build_cached(source, config, head="sequence-classification", precision=precision), target / name)
    (target / "model.safetensors").unlink()
    return target


def logits(engine):
    return np.stack([found["logits"] for found in engine.run(SEQUENCES)])


def kept(cache):
    return sorted((cache / "graphs").iterdir())


def test_a_graph_is_built_once_and_kept(folder, cache, monkeypatch):
    first, where = load_engine(folder, head="sequence-classification")
    assert where == folder
    (path,) = kept(cache)
    assert first.model == path
    monkeypatch.setattr("headway.inference.loading._build", None)  # a second build would fail
    again, _ = load_engine(folder, head="sequence-classification")
    np.testing.assert_array_equal(logits(first), logits(again))


def test_where_sums_are_clipped_a_graph_is_rewritten_once_and_kept(folder, cache, monkeypatch):
    monkeypatch.setattr("headway.graph.clipping.sums_are_clipped", lambda: True)
    how = {"head": "sequence-classification", "precision": "int8"}
    first, _ = load_engine(folder, **how)
    found = logits(first)
    assert sorted(notes(path).get(PRODUCTS, "") for path in kept(cache)) == ["", UNSIGNED]
    monkeypatch.setattr("headway.graph.unsigned.unsigned_graph", None)  # a second time would fail
    again, _ = load_engine(folder, **how)
    np.testing.assert_array_equal(logits(again), found)


def test_other_weights_settings_head_or_precision_are_other_graphs(folder, model_folder, cache):
    load_engine(folder, head="sequence-classification")
    load_engine(folder, head="base")
    load_engine(folder, head="sequence-classification", precision="int8")
    load_engine(model_folder("sequence-classification", seed=1), head="sequence-classification")
    assert len(kept(cache)) == 4
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))
    load_engine(folder, head="sequence-classification")
    assert len(kept(cache)) == 5


@pytest.mark.parametrize("name", ["vocab.txt", "merges.txt", "spm.model", "tokenizer_config.json"])
def test_another_vocabulary_is_another_int8_graph_but_the_same_in_fp32(folder, tmp_path, cache, monkeypatch, name):
    here = shutil.copytree(folder, tmp_path / "here")
    keys = []
    monkeypatch.setattr("headway.inference.loading.cached", lambda key, build: keys.append(key) or b"")
    for text in ("one", "two"):
        (here / name).write_text(text)
        for precision in ("fp32", "int8"):
            build_cached(here, load_config(here), head="sequence-classification", precision=precision)
    assert keys[0] == keys[2]
    assert len(set(keys)) == 3


def test_a_folders_place_does_not_matter_only_what_is_in_it(folder, tmp_path, cache):
    load_engine(folder, head="base")
    load_engine(shutil.copytree(folder, tmp_path / "elsewhere"), head="base")
    assert len(kept(cache)) == 1


def test_changed_weights_are_seen_even_where_size_and_time_are_the_same(folder, model_folder, cache):
    engine, _ = load_engine(folder, head="sequence-classification")
    shutil.copy2(model_folder("sequence-classification", seed=5) / "model.safetensors", folder / "model.safetensors")
    other, _ = load_engine(folder, head="sequence-classification")
    assert not np.allclose(logits(engine), logits(other))


@pytest.mark.train
def test_pickled_weights_are_a_source_like_safetensors_and_other_ones_are_other_graphs(folder, tmp_path, cache):
    import torch
    from safetensors.torch import load_file

    pickled = shutil.copytree(folder, tmp_path / "pickled")
    weights = load_file(pickled / "model.safetensors")
    (pickled / "model.safetensors").unlink()
    torch.save(weights, pickled / "pytorch_model.bin")
    engines = [load_engine(source, head="sequence-classification")[0] for source in (folder, pickled)]
    np.testing.assert_array_equal(*map(logits, engines))
    weights["classifier.bias"] += 1
    torch.save(weights, pickled / "pytorch_model.bin")
    other, _ = load_engine(pickled, head="sequence-classification")
    np.testing.assert_allclose(logits(other), logits(engines[0]) + 1, rtol=1e-5)


def test_a_cache_that_cannot_be_written_is_said_and_the_model_runs(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HEADWAY_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match="could not be kept in .* Set HEADWAY_CACHE to a folder that can be written"):
        engine, _ = load_engine(folder, head="sequence-classification")
    assert isinstance(engine.model, bytes)
    assert logits(engine).shape == (3, 5)


def test_hashes_that_cannot_be_remembered_are_made_again_in_silence(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HEADWAY_CACHE", str(tmp_path / "file" / "cache"))
    os.utime(folder / "model.safetensors", (1, 1))
    assert len({content_hash(folder / "model.safetensors") for _ in range(2)}) == 1


def test_int8_is_built_where_it_is_asked_for(folder, cache):
    exact, _ = load_engine(folder, head="sequence-classification", precision="fp32")
    small, _ = load_engine(folder, head="sequence-classification", precision="int8")
    assert (exact.precision, small.precision) == ("fp32", "int8")
    assert small.model.stat().st_size < 0.6 * exact.model.stat().st_size  # a tiny model is mostly nodes
    assert 0 < np.abs(logits(exact) - logits(small)).mean() < 0.05 * np.abs(logits(exact)).max()


@pytest.mark.parametrize(
    ("precision", "file"), [("auto", "model_int8.onnx"), ("int8", "model_int8.onnx"), ("fp32", "model.onnx")]
)
def test_exported_graphs_are_used_as_they_are(exported, precision, file):
    engine, _ = load_engine(exported, head="sequence-classification", precision=precision)
    assert engine.model == exported / file
    assert logits(engine).shape == (3, 5)


def test_weights_saved_beside_an_export_are_what_runs(exported, folder, model_folder):
    """The graph of the old weights goes with the save that makes it stale."""
    old, _ = load_engine(exported, head="sequence-classification")
    logits_of_old = logits(old)
    found = load_checkpoint(model_folder("sequence-classification", seed=5))
    save_checkpoint(exported, config=found.config, head=found.head, weights=found.weights)
    new, _ = load_engine(exported, head="sequence-classification")
    assert new.precision == "fp32"
    assert not np.allclose(logits(new), logits_of_old, atol=0.01)


@pytest.fixture
def trained_on(folder, model_folder, tmp_path, cache):
    """A folder exported in both precisions, into which another library then saved new weights: it leaves the graphs there."""
    here = shutil.copytree(folder, tmp_path / "here")
    for precision in ("fp32", "int8"):
        export_model(here, here, precision=precision, max_difference=1.0)
    shutil.copy(model_folder("sequence-classification", seed=5) / "model.safetensors", here)
    return here


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_export_is_used_beside_its_own_weights_wherever_the_folder_goes(folder, tmp_path, cache, precision):
    done = export_model(folder, folder, precision=precision, max_difference=1.0)
    assert load_engine(folder, head="sequence-classification", precision=precision)[0].model == done.path
    copied = shutil.copytree(folder, tmp_path / "copied", copy_function=shutil.copyfile)  # with time stamps of its own
    assert load_engine(copied, head="sequence-classification")[0].model == copied / done.path.name


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_graph_of_other_weights_than_those_beside_it_is_not_used_and_said(trained_on, model_folder, precision):
    name = {"fp32": "model.onnx", "int8": "model_int8.onnx"}[precision]
    with pytest.warns(
        UserWarning, match=rf"{name}.* is not used: it was exported from other weights .*--precision int8\)"
    ) as said:
        engine, _ = load_engine(trained_on, head="sequence-classification", precision=precision)
    assert len(said) == 1
    assert engine.model.parent.name == "graphs"
    expected, _ = load_engine(
        model_folder("sequence-classification", seed=5), head="sequence-classification", precision=precision
    )
    np.testing.assert_array_equal(logits(engine), logits(expected))


def test_without_an_int8_graph_of_its_weights_a_folder_runs_in_fp32(trained_on):
    with pytest.warns(UserWarning, match=r"model_int8\.onnx, model\.onnx in .* is not used"):
        assert load_engine(trained_on, head="sequence-classification")[0].precision == "fp32"
    export_model(trained_on, trained_on, max_difference=1.0)
    assert load_engine(trained_on, head="sequence-classification")[0].model == trained_on / "model_int8.onnx"


def test_one_changed_number_in_a_file_of_the_same_size_and_time_is_noticed(folder, cache):
    export_model(folder, folder, precision="fp32")
    path = folder / "model.safetensors"
    stamp, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.warns(UserWarning, match="exported from other weights"):
        load_engine(folder, head="sequence-classification")


def test_a_graph_is_not_used_where_the_configuration_beside_it_means_another_model(folder, cache):
    export_model(folder, folder, precision="fp32")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"id2label": {str(n): f"name {n}" for n in range(5)}}))
    assert load_engine(folder, head="sequence-classification")[0].model == folder / "model.onnx"  # names change no number
    (folder / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))
    with pytest.warns(UserWarning, match=r"model\.onnx in .* is not used: it was exported from other weights or settings"):
        assert load_engine(folder, head="sequence-classification")[0].model.parent.name == "graphs"


def test_a_graph_that_says_nothing_of_its_weights_is_not_used_beside_any(exported, folder):
    shutil.copy(folder / "model.safetensors", exported)
    with pytest.warns(UserWarning, match="exported from other weights"):
        load_engine(exported, head="sequence-classification")


def test_shards_that_are_not_all_there_are_no_weights_to_hold_a_graph_against(exported):
    (exported / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-00001-of-00001.safetensors"}}')
    assert load_engine(exported, head="sequence-classification")[0].model == exported / "model_int8.onnx"


def test_torch_asks_nothing_of_graphs_that_it_does_not_run(trained_on, monkeypatch):
    monkeypatch.setattr("headway.inference.loading._torch_engine", lambda *_: "torch")
    monkeypatch.setattr("headway.core.hashes.content_hash", None)
    assert load_engine(trained_on, head="sequence-classification", engine="torch")[0] == "torch"


@pytest.mark.parametrize("replace", [lambda path, other: shutil.copy2(other, path), lambda path, other: path.unlink()])
def test_a_graph_that_was_replaced_after_it_was_loaded_does_not_answer_for_it(exported, replace):
    engine, _ = load_engine(exported, head="sequence-classification", precision="fp32", threads=2)
    unused, _ = load_engine(exported, head="sequence-classification", precision="fp32")
    before = logits(engine)
    replace(exported / "model.onnx", exported / "model_int8.onnx")
    np.testing.assert_array_equal(logits(engine), before)  # the session that is there goes on,
    (alone,) = engine.run(SEQUENCES[:1], alone=True)  # also with what would have one of its own
    np.testing.assert_allclose(alone["logits"], before[0], atol=1e-5)
    with pytest.raises(CheckpointError, match=r"model\.onnx was replaced since the model was loaded.* Load it again"):
        unused.run(SEQUENCES[:1])


def test_an_export_that_was_interrupted_after_its_commit_is_finished_before_a_graph_is_read(exported):
    committed = exported / COMMITTED
    committed.mkdir()
    os.replace(exported / "model_int8.onnx", committed / "model_int8.onnx")
    (committed / ".plan.json").write_text('{"brings": ["model_int8.onnx"], "replaces": ["model.onnx"]}')
    engine, _ = load_engine(exported, head="sequence-classification")
    assert engine.precision == "int8"
    assert logits(engine).shape == (3, 5)
    assert {path.name for path in exported.glob("*.onnx")} == {"model_int8.onnx"}


def test_a_save_waits_until_an_engine_is_loaded(exported, monkeypatch):
    """Otherwise the configuration could be the old model's and the graph the new one's."""
    savers, order = [], []

    def save():
        with atomic_update(exported):
            pass
        order.append("saved")

    def slow(folder):
        savers.append(threading.Thread(target=save))
        savers[0].start()
        savers[0].join(0.2)
        order.append("read")
        return ready_files(folder)

    monkeypatch.setattr("headway.inference.loading.ready_files", slow)
    load_engine(exported, head="sequence-classification")
    savers[0].join()
    assert order == ["read", "saved"]


def test_weights_win_over_an_export_with_another_head(exported, folder):
    shutil.copy(folder / "model.safetensors", exported)
    engine, _ = load_engine(exported, head="base")
    assert engine.model.parent.name == "graphs"
    assert engine.precision == "fp32"


def test_an_export_alone_cannot_become_another_head(exported):
    with pytest.raises(
        TaskError, match=r"was exported as a sequence-classification and holds no weights .* become a masked-lm model"
    ):
        load_engine(exported, head="masked-lm")


@pytest.mark.parametrize("options", [{"engine": "torch"}, {"precision": "bf16"}, {"device": 0}], ids=str)
def test_an_export_alone_needs_no_gpu_and_says_so(exported, options):
    with pytest.raises(EngineError, match=r"holds model_int8\.onnx, model\.onnx and no weights.* Leave device, precision and"):
        load_engine(exported, head="sequence-classification", **options)


def test_an_export_alone_has_only_its_own_precision(exported):
    (exported / "model.onnx").unlink()
    with pytest.raises(EngineError, match=r"precision='fp32' needs model.onnx or model.safetensors, but .* only model_int8.onnx"):
        load_engine(exported, head="sequence-classification", precision="fp32")


def test_graphs_that_others_wrote_are_left_alone(folder, cache):
    (folder / "model.onnx").write_bytes(b"\x08\x07\x12\x07pytorch" + b"\0" * 100)
    assert ready_files(folder) == {}
    engine, _ = load_engine(folder, head="sequence-classification")
    assert engine.model.parent == cache / "graphs"


def test_a_damaged_export_says_so_when_it_runs(exported):
    content = (exported / "model_int8.onnx").read_bytes()
    (exported / "model_int8.onnx").write_bytes(content[: len(content) // 2])
    engine, _ = load_engine(exported, head="sequence-classification")
    with pytest.raises(CheckpointError, match=r"model_int8\.onnx could not be loaded as an ONNX model"):
        logits(engine)


@pytest.mark.parametrize("engine", ["onnx", pytest.param("torch", marks=pytest.mark.train)])
@pytest.mark.parametrize("head", ["sequence-classification", "masked-lm"])
def test_a_model_without_the_head_is_never_given_a_random_one(model_folder, cache, engine, head):
    with pytest.raises(WeightError, match=r"classifier\.weight|cls\.predictions"):
        load_engine(model_folder("base"), head=head, engine=engine)


def test_a_folder_without_weights_or_config_is_refused(folder, tmp_path, cache):
    (folder / "model.safetensors").rename(tmp_path / "away")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_engine(folder, head="sequence-classification")
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        load_engine(folder, head="sequence-classification")


def test_truncated_weights_are_refused_and_nothing_is_kept(folder, cache):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError):
        load_engine(folder, head="sequence-classification")
    assert not (cache / "graphs").exists() or not kept(cache)


def test_lone_and_many_batches_have_sessions_of_their_own_made_when_needed(folder, cache, monkeypatch):
    engine, _ = load_engine(folder, head="sequence-classification", threads=2)
    assert isinstance(engine, OnnxEngine)
    assert engine._sessions == {}
    monkeypatch.setitem(LEAST_SHARED, "fp32", 0)
    alone = engine.run(SEQUENCES, alone=True)
    assert list(engine._sessions) == [2]
    for one, other in zip(alone, engine.run(SEQUENCES), strict=True):
        np.testing.assert_allclose(one["logits"], other["logits"], atol=1e-5)
    assert sorted(engine._sessions) == [1, 2]
    assert engine.run([]) == []


def test_a_lone_batch_is_shared_among_threads_only_where_it_is_large(folder, cache, monkeypatch):
    engine, _ = load_engine(folder, head="sequence-classification", threads=2)
    per_token = forward_operations(family(engine.config.model_type).architecture(engine.config, "base"), [1], targets=0)
    monkeypatch.setitem(LEAST_SHARED, "fp32", per_token * sum(map(len, SEQUENCES)))
    engine.run(SEQUENCES[1:], alone=True)
    assert list(engine._sessions) == [1]
    engine.run(SEQUENCES, alone=True)
    assert sorted(engine._sessions) == [1, 2]


def test_outputs_have_no_padding(model_folder, cache):
    engine, _ = load_engine(model_folder("base"), head="base")
    found = engine.run(SEQUENCES)
    assert [one["last_hidden_state"].shape for one in found] == [(4, 28), (2, 28), (5, 28)]
    assert [one["pooler_output"].shape for one in found] == [(28,)] * 3
    for one, sequence in zip(found, SEQUENCES, strict=True):
        np.testing.assert_allclose(engine.run([sequence])[0]["last_hidden_state"], one["last_hidden_state"], atol=1e-5)


def test_unpadded_by_hand():
    outputs = {"states": np.arange(12).reshape(2, 3, 2), "logits": np.array([[1, 2], [3, 4]])}
    first, second = unpadded(outputs, [3, 1], by_token={"states"})
    assert first["states"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert second["states"].tolist() == [[6, 7]]
    assert [first["logits"].tolist(), second["logits"].tolist()] == [[1, 2], [3, 4]]


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True])
def test_threads_are_a_count(threads):
    with pytest.raises(ConfigError, match=r"threads is .*, but it counts threads"):
        checked_threads(threads)
    assert usable_cores() >= 1
