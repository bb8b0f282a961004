"""The log: lines for people and programs, and what becomes of them where they cannot be written."""

import json
import os
import threading
from dataclasses import replace

from headway.serving.http import HttpRequest, HttpResponse
from headway.serving.logs import LONGEST_PATH, MOST_WAITING, Log
from serving.over_http import until

REQUEST = HttpRequest(method="POST", path="/tasks/a\nb", body=b"a secret", headers={"authorization": "Bearer x"}, id="7")
RESPONSE = HttpResponse(body=b"12345", status=201)


def written(form, tmp_path, request=REQUEST):
    with (tmp_path / "log").open("w") as file:
        log = Log(form, stream=file)
        log.request(request, RESPONSE, seconds=0.0123)
        log.close()
    return (tmp_path / "log").read_text()


def test_a_line_for_people(tmp_path):
    assert written("text", tmp_path) == "POST /tasks/a\\nb 201 12.3 ms 7\n"
    assert written("none", tmp_path) == ""


def test_a_line_for_programs(tmp_path):
    entry = json.loads(written("json", tmp_path, replace(REQUEST, trace="ab")))
    del entry["time"]
    assert entry == {
        "id": "7", "method": "POST", "path": "/tasks/a\nb", "status": 201, "ms": 12.3, "bytes_out": 5, "trace_id": "ab",
    }  # fmt: skip
    assert "trace_id" not in json.loads(written("json", tmp_path))


def test_of_a_path_without_end_only_its_beginning_is_kept(tmp_path):
    endless = replace(REQUEST, path="/" + "\u3042" * 100_000)
    assert len(written("text", tmp_path, endless)) < 2000
    assert json.loads(written("json", tmp_path, endless))["path"] == "/" + "\u3042" * (LONGEST_PATH - 1)


def test_what_a_full_disk_did_not_take_is_counted_and_said_once_it_can_be(tmp_path):
    with open("/dev/full", "w") as full, (tmp_path / "log").open("w") as file:
        log = Log("text", stream=full)
        for _ in range(3):
            log.request(REQUEST, RESPONSE, seconds=0)
        assert until(lambda: log._lost == 3)
        log.say("Nobody hears this.")
        log.stream = file
        log.request(REQUEST, RESPONSE, seconds=0)
        log.close()
    assert (tmp_path / "log").read_text() == (
        "POST /tasks/a\\nb 201 0.0 ms 7\nheadway: 3 lines of this log could not be written.\n"
    )


def test_a_reader_that_stands_still_keeps_nobody_waiting():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as file:
        log = Log("text", stream=file)
        for _ in range(3 * MOST_WAITING):
            log.request(REQUEST, RESPONSE, seconds=0)
        assert len(log._lines) <= MOST_WAITING  # some are lost, which the thread may have noted already
        found: list[bytes] = []
        reader = threading.Thread(target=lambda: found.extend(iter(lambda: os.read(reading, 1 << 20), b"")))
        reader.start()
        assert until(lambda: not log._lines and not log._lost)
        log.close()
    reader.join()
    os.close(reading)
    assert b"lines of this log could not be written" in b"".join(found)


def test_a_stream_that_was_closed_loses_its_lines_and_nothing_else(tmp_path):
    log = Log("text", stream=(tmp_path / "log").open("w"))
    log.stream.close()
    log.request(REQUEST, RESPONSE, seconds=0)
    assert until(lambda: log._lost == 1)
    log.close()


def test_a_log_without_requests_has_no_thread():
    before = threading.active_count()
    log = Log("text")
    assert threading.active_count() == before
    log.close()
