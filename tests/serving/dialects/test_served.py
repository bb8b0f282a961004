"""``headway serve`` itself: over its sockets and in its batches every dialect answers as it does in process."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from serving.dialects import hub_calls
from serving.dialects.bodies import BASES
from serving.dialects.in_process import Loopback, PipelineService, send
from serving.over_http import PATIENCE

CHANGING = {"id", "created", "model_version"}
"""What is another at every request, or of another model's fingerprint."""
PATHS = [path for path in BASES if "versions" not in path and "repository" not in path and path != "/embed_sparse"]


@pytest.fixture(scope="module")
def url(models):
    """Where a server of all the models listens; it ends with the tests."""
    words = [word for model in models.values() for word in (model.tasks[0], f"{model.name}={model.folder}")]
    command = [sys.executable, "-m", "headway", "serve", *words, "--port", "0", "--log", "none", "--threads", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        said = []
        for line in server.stderr:
            said.append(line)
            if found := re.search(r"serving at (http://\S+?),", line):
                yield found[1]
                break
        else:
            raise AssertionError("".join(said))
        server.terminate()
        server.communicate(timeout=PATIENCE)


def asked(url, path, body):
    """The media type and the body of an answer."""
    request = urllib.request.Request(
        url + path, data=json.dumps(body).encode(), headers={"content-type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as found:
        return found.headers["content-type"], found.read()


def test_what_a_task_warns_of_is_not_in_the_log(models):
    """Its words quote the request."""
    filler = models["filler"]
    command = [sys.executable, "-m", "headway", "serve", f"filler={filler.folder}", "--port", "0", "--threads", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        place = next(found[1] for line in server.stderr if (found := re.search(r"serving at (http://\S+?),", line)))
        asked(place, "/", {"inputs": "a [MASK]", "parameters": {"targets": ["confidential", "dog"]}})
        server.terminate()
        _, log = server.communicate(timeout=PATIENCE)
    assert "POST / 200" in log
    assert "confidential" not in log


def without_changing(value):
    if isinstance(value, dict):
        return {name: without_changing(inner) for name, inner in value.items() if name not in CHANGING}
    return [without_changing(inner) for inner in value] if isinstance(value, list) else value


def is_near(ours, theirs):
    """Equal, but for what the company in a batch does to the last digits."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(is_near(ours[name], theirs[name]) for name in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(is_near, ours, theirs))
    return ours == (pytest.approx(theirs, rel=1e-4, abs=1e-4) if isinstance(theirs, float) else theirs)


@pytest.mark.parametrize("path", PATHS)
def test_every_dialect_answers_over_http_as_in_process(url, models, path):
    kind, body = asked(url, path, BASES[path])
    expected = send(PipelineService(list(models.values())), "POST", path, BASES[path])
    assert kind == expected.media_type
    if kind != "application/json":
        assert len(body) == len(expected.body)
        return
    assert is_near(without_changing(json.loads(body)), without_changing(json.loads(expected.body)))


def test_the_hubs_client_makes_the_same_of_it(url, models):
    online = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    with Loopback(PipelineService(list(models.values()))) as loopback:
        found = [
            subprocess.run(
                [sys.executable, str(Path(hub_calls.__file__)), place], env=online, capture_output=True, text=True, check=True
            )
            for place in (url, loopback)
        ]
    ours, theirs = (json.loads(one.stdout) for one in found)
    refused = [name for name, value in theirs.items() if isinstance(value, dict) and "raised" in value]
    assert refused == ["nobody", "no choice"]
    assert is_near(*({name: value for name, value in made.items() if name not in refused} for made in (ours, theirs)))
    assert all("raised" in ours[name] for name in refused)


def test_pages_and_probes_are_there(url):
    for path in (
        "/",
        "/docs",
        "/openapi.json",
        "/page/app.js",
        "/health",
        "/v2/health/ready",
        "/metrics",
        "/tasks",
        "/v1/models",
    ):
        with urllib.request.urlopen(url + path, timeout=PATIENCE) as found:
            assert found.status == 200
