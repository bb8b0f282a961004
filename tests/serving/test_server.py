"""``headway serve`` as a process: probes, keys, limits, clients that misbehave, processes that die, and a graceful end."""

import json
import os
import signal
import socket
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from headway import pipeline
from serving.over_http import PATIENCE, TEXT, ask, metrics, serving, talk, until


@pytest.fixture(scope="module")
def server():
    with serving(
        "--keep-alive",
        "3",
        "--body-timeout",
        "3",
        "--payload-limit",
        "500",
        "--cors-origin",
        "https://a.example",
        "--log",
        "json",
    ) as (process, url):
        yield process, url


def test_a_request_is_answered_as_pipeline_answers_and_carries_its_id(server):
    status, found, headers = ask(f"{server[1]}/tasks/text-classification", {"inputs": TEXT}, x_request_id="mine-7")
    assert (status, found) == (200, pipeline(model="sentiment")(TEXT))
    assert headers["x-request-id"] == "mine-7"


def test_the_log_says_which_and_how_long_and_never_what(server):
    ask(f"{server[1]}/tasks/text-classification", {"inputs": "a secret text"}, x_request_id="logged-11")
    assert until(lambda: any("logged-11" in line for line in server[0].lines))
    entry = json.loads(next(line for line in server[0].lines if "logged-11" in line))
    assert (entry["path"], entry["status"]) == ("/tasks/text-classification", 200)
    assert not any("secret" in line for line in server[0].lines)


def test_probes_and_metrics(server):
    url = server[1]
    assert ask(f"{url}/live")[:2] == (200, {"live": True})
    assert ask(f"{url}/ready")[:2] == (200, {"ready": True})
    ask(f"{url}/tasks/text-classification", {"inputs": TEXT})
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        text = answer.read().decode()
    assert 'headway_request_seconds_bucket{model="sentiment",task="text-classification",le="+Inf"}' in text
    assert "headway_queue_requests 0" in text


def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_its_size(server):
    assert ask(f"{server[1]}/predict", {"inputs": "a" * 600})[0] in (413, 422)
    chunked = b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"200\r\n" + b"a" * 512 + b"\r\n"
    assert b"larger than 500 bytes" in talk(server[1], chunked)


def test_a_refusal_reaches_a_client_that_sends_far_more_than_is_read(server):
    """It sends everything before it reads, as most clients do."""
    body = b"a" * 20_000_000
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    for _ in range(3):
        assert b"larger than 500 bytes" in talk(server[1], head + body)


@pytest.mark.parametrize("encoding", ["gzip, chunked", "identity, chunked"])
def test_a_body_in_another_encoding_is_refused(server, encoding):
    asked = f"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {encoding}\r\nConnection: close\r\n\r\n0\r\n\r\n"
    assert talk(server[1], asked.encode()).startswith(b"HTTP/1.1 415 ")


def test_who_ends_its_half_of_the_connection_takes_its_request_back(server):
    """The other half cannot be told from a client that has gone, for whom nothing is to be computed."""
    body = json.dumps({"inputs": [TEXT * 3] * 20}).encode()[:500]
    with socket.create_connection(server[1].removeprefix("http://").split(":"), timeout=PATIENCE) as client:
        client.sendall(b"POST /live HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n" + body[:10])
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1000) == b""


def test_a_body_that_does_not_come_is_refused_and_a_connection_without_a_request_is_closed(server):
    half = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"
    with ThreadPoolExecutor() as pool:
        late, *others = pool.map(lambda sent: talk(server[1], sent), [half, b"", b"GET / HTT"])
    assert b"did not arrive within 3 seconds" in late
    assert others == [b"", b""]


def test_what_is_no_http_and_headers_without_end_close_their_own_connection_alone(server):
    assert b"400" in talk(server[1], b"\x16\x03\x01 nothing\r\n\r\n")
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        talk(server[1], b"GET / HTTP/1.1\r\n", *[b"a: " + b"b" * 30000 + b"\r\n"] * 40)
    assert ask(f"{server[1]}/live")[0] == 200


def test_clients_that_vanish_leave_the_server_well(server):
    host, port = server[1].removeprefix("http://").split(":")
    body = json.dumps({"inputs": [TEXT]}).encode()
    for _ in range(30):
        with socket.create_connection((host, int(port))) as client:
            client.sendall(
                b"POST /tasks/text-classification HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
    assert ask(f"{server[1]}/tasks/text-classification", {"inputs": TEXT})[0] == 200
    assert not any("Traceback" in line for line in server[0].lines)


def test_pages_of_named_sites_may_ask(server):
    assert ask(f"{server[1]}/live", origin="https://a.example")[2]["access-control-allow-origin"] == "https://a.example"
    assert ask(f"{server[1]}/live", origin="https://b.example")[2]["access-control-allow-origin"] is None


def test_no_name_from_a_request_opens_a_file(server):
    for name in ("../../etc/passwd", "/etc", "%2e%2e%2f", "~"):
        assert ask(f"{server[1]}/admin/models/{name}/load", {})[0] == 404


def test_with_keys_only_those_who_bear_one_are_answered(tmp_path):
    (tmp_path / "keys").write_text("first\nsecond\n")
    (tmp_path / "admin").write_text("operator\n")
    with serving("--api-key-file", str(tmp_path / "keys"), "--admin-key-file", str(tmp_path / "admin")) as (_, url):
        asked = f"{url}/tasks/text-classification"
        assert ask(asked, {"inputs": TEXT})[0] == 401
        assert ask(asked, {"inputs": TEXT}, authorization="Bearer wrong")[0] == 401
        assert ask(asked, {"inputs": TEXT}, authorization="Bearer second")[0] == 200
        assert ask(f"{url}/live")[0] == 200
        assert ask(f"{url}/admin/models", authorization="Bearer first")[0] == 403
        assert ask(f"{url}/admin/models", authorization="Bearer operator")[0] == 200


def test_a_process_that_is_killed_is_replaced_and_the_others_answer_meanwhile():
    with serving("--workers", "2") as (process, url):
        assert ask(f"{url}/ready")[0] == 200
        children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        assert len(children) == 2
        os.kill(children[0], signal.SIGKILL)
        answers = [ask(f"{url}/tasks/text-classification", {"inputs": TEXT})[0] for _ in range(20)]
        assert answers == [200] * 20
        assert until(lambda: any(f"process {children[0]} has ended" in line for line in process.lines))
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_requests_under_way_are_answered_before_the_end():
    with serving() as (process, url):
        found = []
        body = {"inputs": [TEXT * 100] * 16}
        thread = threading.Thread(target=lambda: found.append(ask(f"{url}/tasks/text-classification", body)[0]))
        thread.start()
        assert until(lambda: metrics(url)["headway_queue_requests"] == 1)
        process.terminate()
        thread.join()
        assert found == [200]
        assert process.wait(PATIENCE) == 0


def test_names_that_charts_set_are_understood():
    with serving(MODEL_ID="sentiment", SERVED_MODEL_NAME="mood", MAX_CLIENT_BATCH_SIZE="3") as (_, url):
        assert ask(f"{url}/v1/models")[1]["data"][0]["id"] == "mood"
        assert ask(f"{url}/tasks/text-classification", {"inputs": ["a"] * 4})[0] >= 400
