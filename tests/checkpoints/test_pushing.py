"""Uploads to a server on this machine that plays the Hub, by a client process that has the network on."""

import json
import os
import threading

import pytest
from huggingface_hub import errors

from headway.checkpoints import push_folder
from headway.checkpoints.uploading import explain_upload
from headway.core.updates import atomic_update
from headway.errors import CheckpointError

TOKEN = "hf_secret"


@pytest.fixture
def folder(tmp_path, tiny_files):
    """A saved model with its tokenizer, and what lies about in the folder of a training run."""
    folder = tmp_path / "model"
    for name, content in {**tiny_files, "tokenizer.json": b"{}", "1_Pooling/config.json": b"{}"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for name in (".model.safetensors.17-0badcafe.part", ".git/config", "checkpoint-20/model.safetensors", ".cache/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("stays here")
    return folder


def posted(hub, kind):
    return [value for name, value in hub.posted if name == kind]


def is_private(wanted):
    """Since version 1, the library has another word for it."""
    return wanted.get("private") is True or wanted.get("visibility") == "private"


@pytest.fixture(autouse=True)
def forgetful(hub):
    hub.posted.clear()
    hub.repositories.clear()


def test_a_folder_becomes_a_repository(hub, client, folder, tiny_files):
    address = client("push_folder", folder, "owner/mine", token=TOKEN)
    assert address == f"http://127.0.0.1:{hub.server_port}/owner/mine/commit/{'c' * 40}"
    assert hub.repositories["owner/mine"] == {**tiny_files, "tokenizer.json": b"{}", "1_Pooling/config.json": b"{}"}
    (wanted,) = posted(hub, "create")
    assert (wanted["name"], wanted["organization"]) == ("mine", "owner")
    assert not is_private(wanted)
    (commit,) = posted(hub, "commit")
    assert (commit["summary"], commit["revision"], commit["query"]) == ("Upload BertModel", "main", "")
    assert f"Bearer {TOKEN}" in hub.tokens
    assert any(agent.startswith("headway/0") for agent in hub.agents)


def test_what_was_pushed_is_loaded_from_there(hub, client, folder, tmp_path):
    client("push_folder", folder, "owner/mine", token=TOKEN)
    assert client("load_checkpoint", "owner/mine", cache_dir=tmp_path / "cache") == client("load_checkpoint", folder)


def test_a_name_alone_is_a_repository_of_whoever_pushes(hub, client, folder):
    assert "/owner/mine/commit/" in client("push_folder", folder, "mine", token=TOKEN)
    assert "model.safetensors" in hub.repositories["owner/mine"]


def test_a_repository_may_be_private_and_have_a_message(hub, client, folder):
    client("push_folder", folder, "owner/mine", token=TOKEN, private=True, commit_message="Better")
    assert is_private(posted(hub, "create")[0])
    assert posted(hub, "commit")[0]["summary"] == "Better"


def test_a_branch_is_made_if_need_be(hub, client, folder):
    client("push_folder", folder, "owner/mine", token=TOKEN, revision="v2")
    assert posted(hub, "branch") == ["v2"]
    assert posted(hub, "commit")[0]["revision"] == "v2"


def test_a_change_may_be_proposed(hub, client, folder):
    hub.repositories["owner/theirs"] = {"README.md": b"theirs"}
    address = client("push_folder", folder, "owner/theirs", token=TOKEN, create_pr=True)
    assert address == f"http://127.0.0.1:{hub.server_port}/owner/theirs/discussions/7"
    assert posted(hub, "commit")[0]["query"] == "create_pr=1"


def test_other_forms_of_the_old_weights_go_and_all_else_stays(hub, client, folder):
    old = ("pytorch_model.bin", "model-00001-of-00002.safetensors", "model.safetensors.index.json", "model.onnx", "README.md")
    hub.repositories["owner/mine"] = dict.fromkeys((*old, "onnx/model.onnx", "onnx/config.json", "tf_model.h5"), b"old")
    (folder / "model.onnx").write_bytes(b"new")
    client("push_folder", folder, "owner/mine", token=TOKEN)
    left = {name for name, content in hub.repositories["owner/mine"].items() if content == b"old"}
    assert left == {"README.md", "onnx/config.json", "tf_model.h5"}
    assert hub.repositories["owner/mine"]["model.onnx"] == b"new"


def test_a_tokenizer_leaves_the_weights_alone(hub, client, tmp_path):
    hub.repositories["owner/mine"] = {"model.safetensors": b"old", "config.json": b"old"}
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "tokenizer.json").write_text("{}")
    client("push_folder", tmp_path / "tokenizer", "owner/mine", token=TOKEN)
    assert hub.repositories["owner/mine"] == {"model.safetensors": b"old", "config.json": b"old", "tokenizer.json": b"{}"}
    assert posted(hub, "commit")[0]["summary"] == "Upload tokenizer"


@pytest.mark.parametrize("config", ["{", "[]", "{}", '{"architectures": []}', '{"architectures": null}'])
def test_a_model_without_a_name_is_a_model(hub, client, folder, config):
    (folder / "config.json").write_text(config)
    client("push_folder", folder, "owner/mine", token=TOKEN)
    assert posted(hub, "commit")[0]["summary"] == "Upload model"


@pytest.mark.parametrize(
    ("name", "keywords", "messages"),
    [
        pytest.param(
            "private/x", {"token": TOKEN}, ["does not let you write to private/x", "Log in with: hf auth login"], id="401"
        ),
        pytest.param(
            "foreign/x", {"token": TOKEN}, ["does not let you write to foreign/x", "push with create_pr=True"], id="403"
        ),
        pytest.param(
            "broken/x", {"token": TOKEN}, ["could not be uploaded to broken/x", "500", "Nothing there was changed"], id="500"
        ),
        pytest.param("no repository", {"token": TOKEN}, ["'no repository' is no Hub repository id", "'owner/name'"], id="no id"),
        pytest.param("owner/x", {"token": True}, ["token=True asks for the saved token, but none is saved"], id="no token"),
    ],
)
def test_each_refusal_has_its_own_words(client, folder, name, keywords, messages):
    answer = client("push_folder", folder, name, **keywords)
    assert "CheckpointError" in answer["kinds"], answer
    for message in messages:
        assert message in answer["error"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (errors.OfflineModeIsEnabled, "HF_HUB_OFFLINE switches the network off. Unset it"),
        (OSError, "F could not be uploaded to o/m: OSError. Nothing there was changed"),
        (errors.HfHubHTTPError, "could not be uploaded to o/m"),
    ],
)
def test_each_error_of_the_library_has_its_own_words(kind, message):
    assert message in explain_upload(kind.__new__(kind), "o/m", folder="F")


def test_with_the_network_switched_off_nothing_is_tried(folder):
    """HF_HUB_OFFLINE is set for all tests."""
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE switches the network off"):
        push_folder(folder, "owner/mine", token=TOKEN)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("a file")])
def test_without_files_there_is_nothing_to_upload(tmp_path, make):
    make(tmp_path / "model")
    with pytest.raises(CheckpointError, match=r"no folder with files, so there is nothing to upload\. Save first"):
        push_folder(tmp_path / "model", "owner/mine")


def test_what_is_uploaded_is_one_state_of_the_folder(folder, monkeypatch):
    """A save that begins meanwhile waits until the upload is over."""
    seen = []

    def upload(folder, repository, **keywords):
        saver = threading.Thread(target=save, args=(folder,))
        saver.start()
        saver.join(0.3)
        seen.append((folder / "config.json").read_text())
        return saver

    def save(folder):
        with atomic_update(folder) as draft:
            (draft / "config.json").write_text("new")

    monkeypatch.setattr("headway.checkpoints.uploading.upload", upload)
    saver = push_folder(folder, "owner/mine")
    saver.join()
    assert json.loads(seen[0])["model_type"] == "bert"
    assert (folder / "config.json").read_text() == "new"


def test_an_interrupted_save_is_finished_before(hub, client, folder):
    committed = folder / ".headway-update"
    committed.mkdir()
    (committed / "config.json").write_text('{"architectures": ["New"]}')
    (committed / ".plan.json").write_text('{"brings": ["config.json"], "replaces": []}')
    client("push_folder", folder, "owner/mine", token=TOKEN)
    assert posted(hub, "commit")[0]["summary"] == "Upload New"
    assert not os.path.exists(committed)
