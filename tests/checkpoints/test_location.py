import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from headway.architecture import weight_shapes
from headway.checkpoints import load_checkpoint, load_config, locate, location, save_checkpoint, shipped_models, weight_files
from headway.core.updates import COMMITTED
from headway.errors import CheckpointError
from headway.families import family

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def model(tmp_path, tiny_config, random_weights) -> Path:
    weights = random_weights(weight_shapes(family("bert").architecture(tiny_config, "base")))
    save_checkpoint(tmp_path / "model", config=tiny_config, head="base", weights=weights)
    return tmp_path / "model"


@pytest.fixture
def cache(tmp_path, model, assemble) -> Path:
    """A Hub cache with ``owner/tiny``, and ``owner/pickled`` with pickled weights."""
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    shutil.copy(model / "config.json", pickled)
    assemble.zip(pickled / "pytorch_model.bin", *assemble.weights(load_file(model / "model.safetensors")))
    for name, folder in (("tiny", model), ("pickled", pickled)):
        into_cache(tmp_path / "cache" / f"models--owner--{name}", folder)
    return tmp_path / "cache"


def into_cache(repository: Path, folder: Path) -> None:
    """Lay a folder's files out as huggingface_hub does: blobs, snapshots of links to them, refs."""
    for part in ("blobs", "refs", f"snapshots/{COMMIT}"):
        (repository / part).mkdir(parents=True)
    for branch in ("main", "v1"):
        (repository / "refs" / branch).write_text(COMMIT)
    for file in folder.iterdir():
        os.replace(file, repository / "blobs" / f"etag-of-{file.name}")
        (repository / "snapshots" / COMMIT / file.name).symlink_to(f"../../blobs/etag-of-{file.name}")
    folder.rmdir()


@pytest.fixture
def without_network(monkeypatch):
    def refused(*arguments, **keywords):
        raise AssertionError("the network was used")

    for name in ("__init__", "connect", "connect_ex", "sendto"):  # not even a socket is made
        monkeypatch.setattr(socket.socket, name, refused)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refused)


@pytest.mark.usefixtures("without_network")
def test_a_local_folder_never_touches_the_network(model):
    assert locate(model) == model
    assert locate(str(model)) == model
    assert load_config(model).hidden_size == 28
    assert len(load_checkpoint(model, revision="ignored", token="ignored").weights) == 43


def test_a_local_folder_is_loaded_without_importing_the_hub_s_library(model):
    code = f"""
import sys
from headway.checkpoints import load_checkpoint
load_checkpoint({str(model)!r})
print(sorted({{"torch", "transformers", "huggingface_hub", "requests", "httpx", "onnx", "onnxruntime"}} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_the_home_folder_may_be_abbreviated(model, monkeypatch):
    monkeypatch.setenv("HOME", str(model.parent))
    assert locate("~/model") == model


def test_a_save_that_was_interrupted_after_its_commit_is_finished_first(model):
    committed = model / COMMITTED
    committed.mkdir()
    (committed / "config.json").write_text((model / "config.json").read_text().replace('"gelu"', '"relu"'))
    (committed / ".plan.json").write_text('{"brings": ["config.json"], "replaces": []}')
    assert load_config(model).hidden_act == "relu"
    assert not committed.exists()


def test_a_save_that_cannot_be_finished_is_an_error_that_says_who_can(model, monkeypatch):
    committed = model / COMMITTED
    committed.mkdir()
    (committed / "config.json").write_text("{}")
    (committed / ".plan.json").write_text('{"brings": ["config.json"], "replaces": []}')

    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(
        CheckpointError, match=r"has to be finished before the model is whole, which failed.*a user who may write there"
    ):
        locate(model)


def test_a_file_is_no_model(model):
    with pytest.raises(CheckpointError, match=rf"config\.json is a file, but a model is a folder\. Give its folder: {model}$"):
        locate(model / "config.json")


@pytest.mark.usefixtures("without_network")
def test_a_shipped_model_with_a_typing_error_is_named():
    with pytest.raises(
        CheckpointError,
        match=r"^sentimet is not a folder here .* or give a folder\. Or did you mean 'sentiment', which ships with Headway\?$",
    ):
        locate("sentimet", local_files_only=True)
    with pytest.raises(CheckpointError, match=r"^nothere is not a folder here .* or give a folder\.$"):
        locate("nothere", local_files_only=True)


@pytest.mark.parametrize("name", ["", None])
def test_no_name_is_an_error_that_says_what_a_name_is(name):
    with pytest.raises(
        CheckpointError, match=r"No model is named\. Give a folder, a model that ships with Headway, or a Hub repository"
    ):
        locate(name)


@pytest.mark.parametrize(
    "name", ["./nowhere", "/nowhere/at/all", "a/b/c", "two words", "I love this product! " * 50, "a--b", "owner/", "a\0b"]
)
@pytest.mark.usefixtures("without_network")
def test_a_name_that_is_neither_a_folder_nor_a_repository_id_is_an_error_that_says_so(name):
    with pytest.raises(CheckpointError, match="is neither a folder here nor a Hub repository id, which looks like 'owner/name'"):
        locate(name)


@pytest.mark.usefixtures("without_network")
class TestCache:
    def test_a_cached_repository_is_found_offline(self, cache):
        found = locate("owner/tiny", cache_dir=cache, local_files_only=True)
        assert found == cache / "models--owner--tiny" / "snapshots" / COMMIT
        assert len(load_checkpoint("owner/tiny", cache_dir=cache, local_files_only=True).weights) == 43

    @pytest.mark.parametrize("revision", [None, "v1", COMMIT])
    def test_a_model_is_loaded_from_the_cache_in_either_form(self, cache, revision):
        safe, pickled = (load_checkpoint(f"owner/{name}", cache_dir=cache, revision=revision) for name in ("tiny", "pickled"))
        assert [file.name for file in weight_files(pickled.folder)] == ["pytorch_model.bin"]
        assert all(array.tobytes() == safe.weights[name].tobytes() for name, array in pickled.weights.items())

    def test_the_environment_may_switch_the_network_off(self, cache):
        """HF_HUB_OFFLINE is set for all tests."""
        assert load_config("owner/tiny", cache_dir=cache).hidden_size == 28

    def test_a_commit_is_found_without_a_ref(self, cache):
        assert locate("owner/tiny", revision=COMMIT, cache_dir=cache).name == COMMIT

    @pytest.mark.parametrize(("name", "revision"), [("owner/other", None), ("owner/tiny", "v2"), ("bert-base-uncased", None)])
    @pytest.mark.parametrize("local_files_only", [True, False])
    def test_what_is_not_cached_is_an_error_that_names_the_switch(self, cache, name, revision, local_files_only):
        with pytest.raises(CheckpointError) as caught:
            locate(name, revision=revision, cache_dir=cache, local_files_only=local_files_only)
        message = str(caught.value)
        assert message.startswith(f"{name} at '{revision}'" if revision else f"{name} is not a folder here")
        assert (
            f"not in the Hub's cache ({cache}), and the network is switched off (local_files_only or HF_HUB_OFFLINE)" in message
        )
        assert "Load it once with the network on, or give a folder." in message

    def test_a_cache_with_the_configuration_only_says_how_to_complete_it(self, cache):
        (cache / "models--owner--tiny" / "snapshots" / COMMIT / "model.safetensors").unlink()
        assert load_config("owner/tiny", cache_dir=cache).hidden_size == 28
        with pytest.raises(CheckpointError, match=r"or this cache has only part of it\. Load the model once with the network on"):
            load_checkpoint("owner/tiny", cache_dir=cache)


class TestShipped:
    @pytest.fixture(autouse=True)
    def package(self, model, monkeypatch):
        """A package that ships the tiny model under the name ``mood``."""
        (model.parent / "models").mkdir()
        (model.parent / "models" / "no-model").mkdir()
        os.replace(model, model.parent / "models" / "mood")
        monkeypatch.setattr("importlib.resources.files", lambda package: model.parent)
        monkeypatch.chdir(model.parent)

    @pytest.mark.usefixtures("without_network")
    def test_a_shipped_model_is_found_by_its_short_name(self, tmp_path):
        assert shipped_models() == {"mood": tmp_path / "models" / "mood"}
        assert locate("mood") == tmp_path / "models" / "mood"
        assert load_config("mood").hidden_size == 28

    def test_a_folder_of_the_same_name_is_reached_by_its_path_and_the_short_name_says_so(self, tmp_path):
        (tmp_path / "mood").mkdir()
        assert locate("mood").parent.name == "models"
        (tmp_path / "mood" / "config.json").write_text("{}")
        with pytest.warns(
            UserWarning, match=r"mood is both a model that ships with Headway and a folder here.*Write \./mood for the folder"
        ):
            assert locate("mood").parent.name == "models"
        assert locate("./mood") == Path("mood")
        assert locate(Path("mood")) == Path("mood")


def test_the_package_itself_may_ship_no_model_or_some():
    assert all((folder / "config.json").is_file() for folder in shipped_models().values())


def test_what_is_downloaded_leaves_out_pickles_and_the_exports_of_others():
    import fnmatch

    def wanted(name):
        return any(fnmatch.fnmatch(name, pattern) for pattern in location.DOWNLOADS["all"])

    assert all(
        map(
            wanted,
            (
                "config.json",
                "vocab.txt",
                "model-00001-of-00002.safetensors",
                "1_Pooling/config.json",
                "2_Dense/model.safetensors",
                "2_Dense/pytorch_model.bin",
            ),
        )
    )
    assert not any(
        map(
            wanted,
            (
                "pytorch_model.bin",
                "onnx/model.onnx",
                "tf_model.h5",
                "README.md",
                "openvino/openvino_model.bin",
                "model.fp16.safetensors",
            ),
        )
    )
