"""What these tests share.

Files of torch weights put together by hand, without torch: honest ones, and ones that no honest writer would make. And the Hub
over HTTP: a server on this machine plays it, with the few endpoints that downloads and uploads need, for a client process.
"""

import base64
import contextlib
import json
import os
import re
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.architecture import weight_shapes
from headway.checkpoints import save_checkpoint
from headway.families import family

NUMBERS = {"float32": "Float", "float64": "Double", "float16": "Half", "int64": "Long", "uint16": "BFloat16"}
MAGIC = b"\x80\x02\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little") + b"."
VERSION = b"\x80\x02M\xe9\x03."
FACTS = b"\x80\x02}(X\x0d\x00\x00\x00little_endian\x88u."


class Assembler:
    """The instructions of pickles, and the two forms of file around them."""

    def text(self, value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()

    def number(self, value: int) -> bytes:
        return b"J" + struct.pack("<i", value) if -(2**31) <= value < 2**31 else b"\x8a\x10" + value.to_bytes(16, "little")

    def numbers(self, values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(map(self.number, values)) + b"t"

    def name(self, module: str, name: str) -> bytes:
        return f"c{module}\n{name}\n".encode()

    def storage(self, key: str, count: int, *, kind: str = "Float", stream: bool = False, view: bytes = b"N") -> bytes:
        """A reference to a storage; a stream's has one part more."""
        parts = self.text("storage") + self.name("torch", f"{kind}Storage") + self.text(key) + self.text("cpu")
        return b"(" + parts + self.number(count) + (view if stream else b"") + b"tQ"

    def tensor(self, storage: bytes, shape: tuple[int, ...], strides: tuple[int, ...], *, offset: int = 0) -> bytes:
        view = storage + self.number(offset) + self.numbers(shape) + self.numbers(strides)
        hooks = self.name("collections", "OrderedDict") + b")R"
        return self.name("torch._utils", "_rebuild_tensor_v2") + b"(" + view + b"\x89" + hooks + b"tR"

    def table(self, entries: Mapping[str, bytes]) -> bytes:
        """A whole pickle: names with what stands for them."""
        pairs = b"".join(self.text(name) + value for name, value in entries.items())
        return b"\x80\x02" + self.name("collections", "OrderedDict") + b")R(" + pairs + b"u."

    def weights(self, arrays: Mapping[str, np.ndarray], *, stream: bool = False) -> tuple[bytes, dict[str, bytes]]:
        """The pickle for these arrays, a storage for each, and the storages' bytes."""
        entries, storages = {}, {}
        for key, (name, array) in enumerate(arrays.items()):
            steps = tuple(step // array.itemsize for step in array.strides)
            storage = self.storage(str(key), array.size, kind=NUMBERS[array.dtype.name], stream=stream)
            entries[name] = self.tensor(storage, array.shape, steps)
            storages[str(key)] = array.tobytes()
        return self.table(entries), storages

    def zip(self, path: Path, pickle: bytes, storages: Mapping[str, bytes] | None = None, **records: bytes) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle)
            for name, content in {"version": b"3", "byteorder": b"little", **records}.items():
                archive.writestr(f"archive/{name}", content)
            for key, content in (storages or {}).items():
                archive.writestr(f"archive/data/{key}", content)
        return path

    def stream(
        self, path: Path, pickle: bytes, storages: Mapping[str, bytes] | None = None, *, facts: bytes = FACTS, item: int = 4
    ) -> Path:
        storages = dict(sorted((storages or {}).items()))
        keys = b"\x80\x02](" + b"".join(map(self.text, storages)) + b"e."
        contents = [struct.pack("<q", len(content) // item) + content for content in storages.values()]
        path.write_bytes(MAGIC + VERSION + facts + pickle + keys + b"".join(contents))
        return path


@pytest.fixture(scope="session")
def assemble() -> Assembler:
    return Assembler()


COMMITS = {"main": "a" * 40, "v1": "b" * 40}
REFUSALS = {"gated": (403, "GatedRepo"), "broken": (500, ""), "private": (401, "RepoNotFound"), "foreign": (403, "")}

# Errors, but for how huggingface_hub 1 hands a file to httpx.
WARNINGS = ("-W", "error", "-W", "ignore:Use 'content=<...>' to upload raw bytes:DeprecationWarning")

# Reads one request a line, answers one line: what was found, or the error with the classes of what it is.
CLIENT = """
import json, sys, warnings
from headway.checkpoints import load_checkpoint, load_config, locate, push_folder

functions = {
    "locate": str,
    "load_config": lambda config: config.hidden_size,
    "load_checkpoint": lambda found: [len(found.weights), float(sum(array.sum() for array in found.weights.values()))],
    "push_folder": str,
}
for line in sys.stdin:
    name, arguments, keywords = json.loads(line)
    try:
        answer = functions[name](globals()[name](*arguments, **keywords))
    except Exception as error:
        answer = {"error": str(error), "kinds": [kind.__name__ for kind in type(error).__mro__]}
    print(json.dumps(answer), flush=True)
"""


class Hub(ThreadingHTTPServer):
    """Serves repositories from memory, remembers what it was asked, and takes uploads.

    ``cut`` has, by file, after how many bytes of an answer the connection breaks, and ``cuts`` says how many are cut. With
    ``stalls``, it does not break, but no more comes.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.branches: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.ranges: list[str] = []
        self.tokens: set[str | None] = set()
        self.agents: set[str] = set()
        self.posted: list[tuple[str, Any]] = []
        self.large: dict[str, bytes] = {}
        self.cut: dict[str, int] = {}
        self.cuts = 0
        self.stalls = False
        self.stalled = threading.Event()
        self.released = threading.Event()

    def downloads(self) -> list[str]:
        """The files that were downloaded since the last call."""
        paths = [path for method, path in self.asked if method == "GET" and "/resolve/" in path]
        self.asked.clear()
        return sorted(path.partition("/resolve/")[2].partition("/")[2] for path in paths)

    def handle_error(self, *arguments: object) -> None:
        """A client that goes away is no news."""


class Handler(BaseHTTPRequestHandler):
    """What the Hub answers."""

    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.note()
        path = self.path.partition("?")[0]
        if (found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?.*", path)) is not None:
            self.info(*found.groups())
        elif (found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)) is not None:
            self.file(*found.groups())
        else:
            self.refuse(404, "")

    def do_POST(self) -> None:
        self.note()
        path = self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if path == "/api/repos/create":
            self.create(json.loads(body))
        elif (found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit|branch)/([^/]+)", path)) is not None:
            getattr(self, found[2])(found[1], found[3], body)
        elif path.endswith("/objects/batch"):
            self.batch(json.loads(body))
        else:
            self.reply({})

    def do_PUT(self) -> None:
        self.note()
        self.server.large[self.path.rpartition("/")[2]] = self.rfile.read(int(self.headers["Content-Length"]))
        self.reply({})

    def note(self) -> None:
        self.server.asked.append((self.command, self.path))
        self.server.tokens.add(self.headers["Authorization"])
        self.server.agents.add(self.headers["User-Agent"])

    def info(self, repository: str, what: str | None, revision: str | None) -> None:
        owner = repository.partition("/")[0]
        files = self.server.repositories.get(repository)
        if owner in REFUSALS:
            self.refuse(*REFUSALS[owner])
        elif files is None:
            self.refuse(404, "RepoNotFound")
        elif revision is not None and revision not in {*COMMITS, *COMMITS.values(), *self.server.branches}:
            self.refuse(404, "RevisionNotFound")
        elif what == "tree":
            self.reply([{"type": "file", "path": name, "size": len(content), "oid": name} for name, content in files.items()])
        else:
            siblings = [{"rfilename": name} for name in files]
            self.reply({"id": repository, "sha": COMMITS.get(revision or "main", revision), "siblings": siblings})

    def file(self, repository: str, revision: str, name: str) -> None:
        content = self.server.repositories[repository][name]
        start = 0
        if (wanted := self.headers["Range"]) is not None:
            self.server.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
        headers = {"ETag": f'"{name.replace("/", "-")}-{len(content)}"', "X-Repo-Commit": revision, "Accept-Ranges": "bytes"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        limit = None
        if self.command == "GET" and name in self.server.cut and self.server.cuts > 0:
            self.server.cuts -= 1
            limit = self.server.cut[name]
        self.answer(content[start:], headers, 206 if start else 200, limit=limit)

    def create(self, wanted: dict[str, Any]) -> None:
        repository = f"{wanted.get('organization') or 'owner'}/{wanted['name']}"
        self.server.posted.append(("create", wanted))
        owner = repository.partition("/")[0]
        if owner in REFUSALS:
            self.refuse(*REFUSALS[owner])
        elif repository in self.server.repositories:
            self.reply({"error": "You already created this model repo", "url": self.address(repository)}, 409)
        else:
            self.server.repositories[repository] = {}
            self.reply({"url": self.address(repository), "id": repository})

    def branch(self, repository: str, revision: str, body: bytes) -> None:
        self.server.posted.append(("branch", revision))
        self.server.branches.add(revision)
        self.reply({})

    def preupload(self, repository: str, revision: str, body: bytes) -> None:
        files = [file["path"] for file in json.loads(body)["files"]]
        large = {name: "lfs" if name.endswith((".safetensors", ".onnx")) else "regular" for name in files}
        self.reply({"files": [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in large.items()]})

    def batch(self, wanted: dict[str, Any]) -> None:
        actions = [{**one, "actions": {"upload": {"href": self.address(f"lfs/{one['oid']}")}}} for one in wanted["objects"]]
        self.reply({"transfer": "basic", "objects": actions}, kind="application/vnd.git-lfs+json")

    def commit(self, repository: str, revision: str, body: bytes) -> None:
        files = self.server.repositories[repository]
        for line in map(json.loads, body.decode().splitlines()):
            value = line["value"]
            match line["key"]:
                case "header":
                    self.server.posted.append(("commit", {**value, "revision": revision, "query": self.path.partition("?")[2]}))
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.server.large[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        done = {"success": True, "commitOid": "c" * 40, "commitUrl": self.address(f"{repository}/commit/{'c' * 40}")}
        if "create_pr" in self.path:
            done["pullRequestUrl"] = self.address(f"{repository}/discussions/7")
        self.reply(done)

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{path}"

    def refuse(self, status: int, code: str) -> None:
        self.answer(b"{}", {"X-Error-Code": code} if code else {}, status)

    def reply(self, value: Any, status: int = 200, *, kind: str = "application/json") -> None:
        self.answer(json.dumps(value).encode(), {"Content-Type": kind}, status)

    def answer(self, content: bytes, headers: dict[str, str], status: int, *, limit: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:limit])
        if limit is not None:
            self.close_connection = True
            if self.server.stalls:
                self.wfile.flush()
                self.server.stalled.set()
                self.server.released.wait(600)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory, tiny_config, random_weights) -> dict[str, bytes]:
    """The files of a tiny model, by name."""
    folder = tmp_path_factory.mktemp("tiny")
    weights = random_weights(weight_shapes(family("bert").architecture(tiny_config, "base")))
    save_checkpoint(folder, config=tiny_config, head="base", weights=weights)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def online(hub, tmp_path_factory) -> dict[str, str]:
    """The environment of a process that takes the server for the Hub."""
    usual = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy") and not name.startswith("HF_")
    }
    settings = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HOME": str(tmp_path_factory.mktemp("home"))}
    return {**usual, **settings, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_XET": "1"}


@pytest.fixture(scope="module")
def client(online) -> Iterator[Callable[..., Any]]:
    """A function that has another process call one of ours, with the network on."""
    with calls(online) as call:
        yield call


@contextlib.contextmanager
def calls(environment: dict[str, str]) -> Iterator[Callable[..., Any]]:
    process = subprocess.Popen(
        [sys.executable, *WARNINGS, "-c", CLIENT], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def call(function: str, *arguments, **keywords):
        plain = {name: str(value) if isinstance(value, Path) else value for name, value in keywords.items()}
        process.stdin.write(json.dumps([function, [str(argument) for argument in arguments], plain]) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    with process:
        yield call
        process.stdin.close()
