"""Downloads from a server on this machine that plays the Hub, by a client process that has the network on."""

import errno
import json
import os
import subprocess
import sys
import time

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import errors
from safetensors.numpy import load, save

from headway.checkpoints.hub import explain

COMMITS = {"main": "a" * 40, "v1": "b" * 40}
OTHERS = ("README.md", "onnx/model.onnx", "tokenizer.json", "vocab.txt", "1_Pooling/config.json", "modules.json")


@pytest.fixture(scope="module", autouse=True)
def repositories(hub, tiny_files, assemble, tmp_path_factory):
    """``owner/tiny`` has weights in both forms, ``owner/pickled`` and ``owner/shards`` only pickled ones."""
    arrays = load(tiny_files["model.safetensors"])
    folder = tmp_path_factory.mktemp("pickled")
    halves = [dict(list(arrays.items())[:20]), dict(list(arrays.items())[20:])]
    names = [f"pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)]
    shards = {
        name: assemble.zip(folder / name, *assemble.weights(half)).read_bytes() for name, half in zip(names, halves, strict=True)
    }
    places = {weight: name for name, half in zip(names, halves, strict=True) for weight in half}
    whole = assemble.stream(folder / "x.bin", *assemble.weights(arrays, stream=True)).read_bytes()
    common = {"config.json": tiny_files["config.json"], **dict.fromkeys(OTHERS, b"{}"), "tf_model.h5": b"{}"}
    hub.repositories |= {
        "owner/tiny": {**common, "model.safetensors": tiny_files["model.safetensors"], "pytorch_model.bin": b"never asked for"},
        "owner/pickled": {**common, "pytorch_model.bin": whole},
        "owner/shards": {**common, **shards, "pytorch_model.bin.index.json": json.dumps({"weight_map": places}).encode()},
        "owner/unsaved": common,
    }


@pytest.fixture
def expected(tiny_files):
    """What the client says of the tiny model: how many weights there are, and their sum."""
    return [43, pytest.approx(sum(float(np.sum(array)) for array in load(tiny_files["model.safetensors"]).values()), rel=1e-3)]


def test_what_is_needed_is_downloaded_once(hub, client, tmp_path, expected):
    hub.asked.clear()
    assert client("load_checkpoint", "owner/tiny", cache_dir=tmp_path) == expected
    needed = ["1_Pooling/config.json", "config.json", "model.safetensors", "modules.json", "tokenizer.json", "vocab.txt"]
    assert hub.downloads() == needed
    assert client("load_checkpoint", "owner/tiny", cache_dir=tmp_path) == expected
    assert hub.downloads() == []
    assert sorted(path.name for path in (tmp_path / "models--owner--tiny" / "snapshots").iterdir()) == [COMMITS["main"]]


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("owner/pickled", ["pytorch_model.bin"]),
        (
            "owner/shards",
            ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin", "pytorch_model.bin.index.json"],
        ),
    ],
)
def test_pickled_weights_are_downloaded_once_where_there_are_no_others(hub, client, tmp_path, expected, name, weights):
    hub.asked.clear()
    assert client("load_checkpoint", name, cache_dir=tmp_path) == expected
    needed = ["1_Pooling/config.json", "config.json", "modules.json", *weights, "tokenizer.json", "vocab.txt"]
    assert hub.downloads() == needed
    assert client("load_checkpoint", name, cache_dir=tmp_path) == expected
    assert hub.downloads() == []
    assert client("load_checkpoint", name, cache_dir=tmp_path, local_files_only=True) == expected
    assert hub.asked == []


def test_a_repository_without_weights_is_an_error_that_says_what_was_looked_for(client, tmp_path):
    answer = client("load_checkpoint", "owner/unsaved", cache_dir=tmp_path)
    assert "CheckpointError" in answer["kinds"], answer
    assert (
        "has no model.safetensors, model.safetensors.index.json, pytorch_model.bin or pytorch_model.bin.index.json"
        in answer["error"]
    )
    assert "either the repository has none" in answer["error"]


CHUNK = 10 * 2**20
"""The library writes what it has downloaded in pieces of this size."""
RESUMES_ANOTHERS = int(huggingface_hub.__version__.partition(".")[0]) < 1
"""Since version 1 the library goes on within one process alone: what another one left is not trusted and is downloaded anew."""


@pytest.fixture
def large(hub, tiny_files):
    """``owner/large``: weights that take three pieces. What cuts answers is back in order afterwards."""
    arrays = {**load(tiny_files["model.safetensors"]), "unused.weight": np.ones(6_400_000, np.float32)}
    content = save(arrays)
    hub.repositories["owner/large"] = {"config.json": tiny_files["config.json"], "model.safetensors": content}
    hub.cut = {"model.safetensors": 2 * CHUNK + 5000}
    hub.ranges.clear()
    yield content
    hub.cut, hub.cuts, hub.stalls = {}, 0, False
    hub.released.set()


def blobs(folder, size):
    return [path.read_bytes() for path in folder.rglob("blobs/*") if path.stat().st_size == size]


def test_a_connection_that_breaks_goes_on_where_it_was(hub, client, tmp_path, expected, large):
    hub.cuts = 1
    assert client("load_checkpoint", "owner/large", cache_dir=tmp_path) == expected
    (wanted,) = hub.ranges
    assert 2 * CHUNK <= int(wanted.removeprefix("bytes=").removesuffix("-")) <= 2 * CHUNK + 5000
    assert blobs(tmp_path, len(large)) == [large]


def test_a_download_that_was_killed_goes_on_where_it_was(hub, client, online, tmp_path, expected, large):
    hub.cuts, hub.stalls = 1, True
    code = f"from headway.checkpoints import locate; locate('owner/large', cache_dir={str(tmp_path)!r})"
    with subprocess.Popen([sys.executable, "-c", code], env=online) as killed:
        assert hub.stalled.wait(600)
        while not any(path.stat().st_size >= 2 * CHUNK for path in tmp_path.rglob("blobs/*")):
            time.sleep(0.01)
        killed.kill()
    hub.released.set()
    hub.ranges.clear()
    assert client("load_checkpoint", "owner/large", cache_dir=tmp_path) == expected
    assert hub.ranges == ([f"bytes={2 * CHUNK}-"] if RESUMES_ANOTHERS else [])
    assert blobs(tmp_path, len(large)) == [large]


def test_a_configuration_or_a_tokenizer_is_had_without_the_weights(hub, client, tmp_path):
    hub.asked.clear()
    assert client("load_config", "owner/tiny", cache_dir=tmp_path) == 28
    assert hub.downloads() == ["config.json"]
    client("locate", "owner/tiny", cache_dir=tmp_path, files="tokenizer")
    assert hub.downloads() == ["tokenizer.json", "vocab.txt"]


@pytest.mark.parametrize("revision", ["v1", COMMITS["v1"]])
def test_a_revision_is_another_snapshot(client, tmp_path, revision):
    found = client("locate", "owner/tiny", revision=revision, cache_dir=tmp_path, files="config")
    assert found.endswith(f"snapshots/{COMMITS['v1']}")


def test_a_token_goes_with_the_request_and_headway_says_who_asks(hub, client, tmp_path):
    hub.tokens.clear()
    client("locate", "owner/tiny", cache_dir=tmp_path, files="config")
    assert hub.tokens == {None}
    client("locate", "owner/tiny", cache_dir=tmp_path, files="config", token="hf_secret")
    assert "Bearer hf_secret" in hub.tokens
    assert any(agent.startswith("headway/0") for agent in hub.agents)


@pytest.mark.parametrize(
    ("name", "keywords", "messages"),
    [
        pytest.param(
            "owner/absent",
            {},
            ["There is no folder 'owner/absent' here, and the Hub shows no repository", "Check the spelling"],
            id="absent",
        ),
        pytest.param(
            "private/model",
            {},
            ["There is no folder 'private/model' here", "for a private repository pass token=…"],
            id="private",
        ),
        pytest.param(
            "gated/model",
            {},
            ["gated/model is gated", "/gated/model, then pass token=… or log in with: hf auth login"],
            id="gated",
        ),
        pytest.param(
            "owner/tiny", {"revision": "v9"}, ["owner/tiny has no revision 'v9'", "or leave revision out"], id="revision"
        ),
        pytest.param("broken/model", {}, ["broken/model is not a folder here", "cannot be reached", "500"], id="server error"),
        pytest.param("owner/tiny", {"token": True}, ["token=True asks for the saved token, but none is saved"], id="no token"),
        pytest.param("no repository", {}, ["'no repository' is neither a folder here nor a Hub repository id"], id="no id"),
    ],
)
def test_each_refusal_has_its_own_words(client, tmp_path, name, keywords, messages):
    answer = client("locate", name, cache_dir=tmp_path, **keywords)
    assert "CheckpointError" in answer["kinds"], answer
    for message in messages:
        assert message in answer["error"]


@pytest.mark.parametrize(
    ("kind", "offline", "message"),
    [
        (errors.GatedRepoError, False, "o/m is gated"),
        (errors.RepositoryNotFoundError, False, "There is no folder 'o/m' here"),
        (errors.RevisionNotFoundError, False, "o/m has no revision 'v2'"),
        (errors.LocalTokenNotFoundError, False, "none is saved"),
        (errors.HFValidationError, False, "'o/m' is neither a folder here nor a Hub repository id"),
        (
            errors.LocalEntryNotFoundError,
            True,
            "o/m at 'v2' is not a folder here and not in the Hub's cache (C), and the network is",
        ),
        (errors.LocalEntryNotFoundError, False, "o/m at 'v2' is not a folder here and not in the Hub's cache (C), and https://"),
        (errors.HfHubHTTPError, False, "o/m at 'v2' could not be downloaded into C: "),
        (OSError, False, "Check the connection and the room on the disk"),
    ],
)
def test_each_error_of_the_library_has_its_own_words(kind, offline, message):
    assert message in explain(kind.__new__(kind), "o/m", revision="v2", offline=offline, cache="C")


def test_a_cache_that_cannot_be_written_is_an_error_that_names_it(client, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    answer = client("locate", "owner/tiny", cache_dir=tmp_path / "cache", files="config")
    assert "CheckpointError" in answer["kinds"], answer
    assert f"owner/tiny could not be downloaded into {tmp_path / 'cache'}" in answer["error"]


def test_when_the_hub_is_down_the_cache_answers_and_what_is_not_there_is_an_error(hub, client, tmp_path):
    """The last test of this file: the server does not come back."""
    assert client("load_config", "owner/tiny", cache_dir=tmp_path) == 28
    hub.shutdown()
    hub.server_close()
    assert client("load_config", "owner/tiny", cache_dir=tmp_path) == 28
    answer = client("locate", "owner/other", cache_dir=tmp_path)
    assert "CheckpointError" in answer["kinds"], answer
    assert f"not in the Hub's cache ({tmp_path}), and http://127.0.0.1:{hub.server_port} cannot be reached" in answer["error"]
    reason = f"[Errno {errno.ECONNREFUSED}] {os.strerror(errno.ECONNREFUSED)}"
    assert answer["error"].endswith(f"cannot be reached: {reason}. Check the connection, or give a folder.")
