"""The Hub over HTTP: a server on this machine plays it, with the few endpoints that a snapshot needs, for a client process."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import errors

from headway.architecture import weight_shapes
from headway.checkpoints import save_checkpoint
from headway.checkpoints.hub import explain
from headway.families import family

COMMITS = {"main": "a" * 40, "v1": "b" * 40}
REFUSALS = {"gated": (403, "GatedRepo"), "broken": (500, ""), "private": (401, "RepoNotFound")}

# Reads one request a line, answers one line: the folder, or the error with the classes of what it is.
CLIENT = """
import json, sys, warnings
from headway.checkpoints import load_checkpoint, load_config, locate

functions = {"locate": str, "load_config": lambda config: config.hidden_size, "load_checkpoint": lambda found: len(found.weights)}
for line in sys.stdin:
    name, arguments, keywords = json.loads(line)
    try:
        answer = functions[name](globals()[name](*arguments, **keywords))
    except Exception as error:
        answer = {"error": str(error), "kinds": [kind.__name__ for kind in type(error).__mro__]}
    print(json.dumps(answer), flush=True)
"""


class Hub(ThreadingHTTPServer):
    """Serves ``owner/tiny`` from a folder, and remembers what it was asked."""

    def __init__(self, files: dict[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.asked: list[tuple[str, str]] = []
        self.tokens: set[str | None] = set()
        self.agents: set[str] = set()

    def downloads(self) -> list[str]:
        names = sorted(
            path.partition("/resolve/")[2].partition("/")[2]
            for method, path in self.asked
            if method == "GET" and "/resolve/" in path
        )
        self.asked.clear()
        return names


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.server.asked.append((self.command, self.path))
        self.server.tokens.add(self.headers["Authorization"])
        self.server.agents.add(self.headers["User-Agent"])
        parts = self.path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self.info("/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
        else:
            self.file("/".join(parts[4:]))

    def info(self, repository: str, revision: str) -> None:
        owner = repository.partition("/")[0]
        if owner in REFUSALS:
            self.refuse(*REFUSALS[owner])
        elif repository != "owner/tiny":
            self.refuse(404, "RepoNotFound")
        elif revision not in COMMITS:
            self.refuse(404, "RevisionNotFound")
        else:
            siblings = [{"rfilename": name} for name in self.server.files]
            self.answer(json.dumps({"id": repository, "sha": COMMITS[revision], "siblings": siblings}).encode())

    def file(self, name: str) -> None:
        content = self.server.files[name].read_bytes()
        self.answer(content, {"ETag": f'"{name.replace("/", "-")}-{len(content)}"', "X-Repo-Commit": self.path.split("/")[4]})

    def refuse(self, status: int, code: str) -> None:
        self.answer(b"{}", {"X-Error-Code": code} if code else {}, status)

    def answer(self, content: bytes, headers: dict[str, str] | None = None, status: int = 200) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), "Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def hub(tmp_path_factory, tiny_config, random_weights):
    folder = tmp_path_factory.mktemp("hub")
    weights = random_weights(weight_shapes(family("bert").architecture(tiny_config, "base")))
    save_checkpoint(folder, config=tiny_config, head="base", weights=weights)
    (folder / "other").write_text("{}")
    names = (
        "pytorch_model.bin",
        "README.md",
        "onnx/model.onnx",
        "tokenizer.json",
        "vocab.txt",
        "1_Pooling/config.json",
        "modules.json",
    )
    files = {name: folder / name for name in ("config.json", "model.safetensors")} | dict.fromkeys(names, folder / "other")
    server = Hub(files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def client(hub, tmp_path_factory):
    """A function that has another process call one of ours, with the network on."""
    environment = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy") and not name.startswith("HF_")
    }
    environment |= {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HOME": str(tmp_path_factory.mktemp("home"))}
    environment |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_XET": "1"}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", CLIENT], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def call(function: str, *arguments, **keywords):
        process.stdin.write(
            json.dumps([function, arguments, {name: str(v) if isinstance(v, Path) else v for name, v in keywords.items()}]) + "\n"
        )
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    with process:
        yield call
        process.stdin.close()


def test_what_is_needed_is_downloaded_once(hub, client, tmp_path):
    hub.asked.clear()
    assert client("load_checkpoint", "owner/tiny", cache_dir=tmp_path) == 43
    needed = ["1_Pooling/config.json", "config.json", "model.safetensors", "modules.json", "tokenizer.json", "vocab.txt"]
    assert hub.downloads() == needed
    assert client("load_checkpoint", "owner/tiny", cache_dir=tmp_path) == 43
    assert hub.downloads() == []
    assert sorted(path.name for path in (tmp_path / "models--owner--tiny" / "snapshots").iterdir()) == [COMMITS["main"]]


def test_a_configuration_or_a_tokenizer_is_had_without_the_weights(hub, client, tmp_path):
    hub.asked.clear()
    assert client("load_config", "owner/tiny", cache_dir=tmp_path) == 28
    assert hub.downloads() == ["config.json"]
    client("locate", "owner/tiny", cache_dir=tmp_path, files="tokenizer")
    assert hub.downloads() == ["tokenizer.json", "vocab.txt"]


def test_a_revision_is_another_snapshot(client, tmp_path):
    assert client("locate", "owner/tiny", revision="v1", cache_dir=tmp_path, files="config").endswith(
        f"snapshots/{COMMITS['v1']}"
    )


def test_a_token_goes_with_the_request_and_headway_says_who_asks(hub, client, tmp_path):
    hub.tokens.clear()
    client("locate", "owner/tiny", cache_dir=tmp_path, files="config")
    assert hub.tokens == {None}
    client("locate", "owner/tiny", cache_dir=tmp_path, files="config", token="hf_secret")
    assert "Bearer hf_secret" in hub.tokens
    assert all(agent.startswith("headway/0") for agent in hub.agents)


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
    assert "Check the connection, or give a folder." in answer["error"]
