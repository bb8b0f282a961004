"""What goes wrong around a server: disks that are full, files that are damaged, very many clients that say nothing."""

import contextlib
import json
import os
import resource
import socket
import threading

import pytest

from headway import pipeline
from headway.graph import export_model
from serving.over_http import PATIENCE, TEXT, address, ask, classify, metrics, serving

IDLE = 300


@pytest.fixture
def many_files():
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, max(now, 2 * IDLE)), most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (now, most))


def test_clients_that_say_nothing_or_half_of_it_keep_nobody_waiting(many_files):
    beginnings = (b"", b"GET /li", b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    with serving("--log", "none", before="ulimit -S -n 64") as (process, url), contextlib.ExitStack() as clients:
        for number in range(IDLE):  # more than the files that the server may open unless it asks for more
            client = clients.enter_context(socket.create_connection(address(url), timeout=PATIENCE))
            client.sendall(beginnings[number % 3])
        assert [classify(url) for _ in range(5)] == [200] * 5
        assert metrics(url)["headway_queue_requests"] == 0
        assert process.poll() is None
    assert process.lines == []


def test_with_a_full_disk_models_are_served_loaded_anew_and_logged_about(model_folder, tmp_path):
    """The disk takes no file of any size, and the log takes nothing: graphs are built in memory, lines are lost."""
    folder = model_folder("sequence-classification", num_labels=3)
    expected = pipeline("text-classification", folder, precision="fp32")("fun")
    with serving(f"mood={folder}", before="ulimit -f 0", HEADWAY_CACHE=str(tmp_path / "cache")) as (_, url):
        question = {"inputs": "fun", "options": {}}
        assert ask(f"{url}/tasks/text-classification", question)[:2] == (200, expected)
        before = ask(f"{url}/admin/models")[1]["models"][0]["version"]
        (folder / "README.md").write_text("Another version.")
        status, said, _ = ask(f"{url}/admin/models/mood/load", {})
        assert status == 200
        assert said["models"][0]["version"] != before
        assert ask(f"{url}/tasks/text-classification", question)[:2] == (200, expected)


def free_port():
    """A port that is free now, below those that systems give away by themselves, so that it most likely stays so."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("No port is free.")


def test_a_log_that_takes_nothing_keeps_nobody_waiting_and_a_server_from_starting():
    with serving(port=free_port(), before="exec 2>/dev/full") as (process, url):
        assert [classify(url) for _ in range(5)] == [200] * 5
        assert process.poll() is None


def test_a_model_whose_files_are_damaged_meanwhile_answers_as_before_alone_and_in_company(tmp_path):
    """A lone request is computed by several threads, whose session is made from the file as well."""
    folder = export_model("sentiment", tmp_path / "mood").path.parent
    expected = pipeline(model="sentiment")(TEXT)
    with serving(str(folder), "--threads", "2", "--log", "none") as (_, url):
        for file in folder.iterdir():
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        assert ask(f"{url}/admin/models/mood/load", {})[0] == 500
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(ask(f"{url}/tasks/text-classification", {"inputs": TEXT})))
            for _ in range(7)
        ]
        assert ask(f"{url}/tasks/text-classification", {"inputs": TEXT})[:2] == (200, expected)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [(status, answer[0]["label"]) for status, answer, _ in found] == [(200, expected[0]["label"])] * 7
        assert json.dumps(ask(f"{url}/ready")[1]) == '{"ready": true}'
