"""Several processes on one port: one set of numbers, one set of models, and what becomes of them when one is killed."""

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from headway.graph import export_model
from serving.over_http import PATIENCE, address, ask, classify, metrics, serving, until

ANSWERED = 'headway_requests_total{model="mood",task="text-classification",outcome="answered"}'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return export_model("sentiment", tmp_path_factory.mktemp("models") / "mood").path.parent


@pytest.fixture(scope="module")
def server(folder):
    with serving(str(folder), "--workers", "2", "--log", "none") as found:
        assert until(lambda: len(children(found[0])) == 2)
        yield found


def children(process):
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return sorted(map(int, found))


@contextmanager
def alone(process, pid):
    """While the others stand still, whatever is asked is asked of this one."""
    others = [child for child in children(process) if child != pid]
    for other in others:
        os.kill(other, signal.SIGSTOP)
    try:
        yield
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)


def from_each(process, question):
    """What every process says, one after the other."""
    found = []
    for pid in children(process):
        with alone(process, pid):
            found.append(question())
    return found


def versions(server):
    """The version that each process has of its models, by name."""
    said = from_each(server[0], lambda: ask(f"{server[1]}/admin/models")[1]["models"])
    return [{one["name"]: one["version"] for one in models} for models in said]


def test_metrics_are_of_all_processes_and_outlive_one_that_is_killed(server):
    process, url = server
    before = metrics(url).get(ANSWERED, 0)
    first, second = children(process)
    with alone(process, first):
        assert [classify(url) for _ in range(3)] == [200] * 3
    with alone(process, second):
        assert [classify(url) for _ in range(4)] == [200] * 4
        assert metrics(url)[ANSWERED] == before + 7
    assert from_each(process, lambda: metrics(url)[ANSWERED]) == [before + 7] * 2
    os.kill(second, signal.SIGKILL)
    assert until(lambda: len({*children(process)} - {second}) == 2)
    assert from_each(process, lambda: (classify(url), metrics(url)[ANSWERED])) == [(200, before + 8), (200, before + 9)]


def test_a_model_that_is_loaded_anew_is_so_in_all_processes(server, folder):
    before = versions(server)
    (folder / "README.md").write_text("Another version.")
    status, said, _ = ask(f"{server[1]}/admin/models/mood/load", {})
    assert status == 200
    assert versions(server) == [{"mood": said["models"][0]["version"]}] * 2 != before


def test_a_model_that_is_unloaded_is_so_in_all_processes_also_in_later_ones_until_it_is_loaded_again(server):
    process, url = server
    assert ask(f"{url}/admin/models/mood/unload", {})[0] == 200
    assert from_each(process, lambda: (classify(url), ask(f"{url}/ready")[0])) == [(503, 503)] * 2
    killed = children(process)[0]
    os.kill(killed, signal.SIGKILL)
    assert until(lambda: len({*children(process)} - {killed}) == 2)
    assert from_each(process, lambda: classify(url)) == [503] * 2
    assert ask(f"{url}/admin/models/mood/load", {})[0] == 200
    assert from_each(process, lambda: (classify(url), ask(f"{url}/ready")[0])) == [(200, 200)] * 2


def test_a_damaged_file_changes_nothing_in_any_process(server, folder):
    before, whole = versions(server), (folder / "model_int8.onnx").read_bytes()
    (folder / "model_int8.onnx").write_bytes(whole[: len(whole) // 2])
    status, said, _ = ask(f"{server[1]}/admin/models/mood/load", {})
    assert status == 500
    assert "could not be loaded as an ONNX model" in said["error"]
    assert versions(server) == before
    assert from_each(server[0], lambda: classify(server[1])) == [200] * 2
    (folder / "model_int8.onnx").write_bytes(whole)


def test_on_sighup_all_processes_load_what_has_changed(server, folder):
    before = versions(server)
    (folder / "README.md").write_text("A third version.")
    server[0].send_signal(signal.SIGHUP)

    def moved_on():
        first, second = versions(server)
        return first == second != before[0]

    assert until(moved_on), server[0].lines
    for pid in children(server[0]):
        assert until(lambda: any(f"(process {pid})" in line for line in server[0].lines)), server[0].lines  # noqa: B023


def test_without_their_parent_processes_answer_what_is_under_way_and_end():
    with serving("--workers", "2", "--log", "none") as (process, url):
        assert until(lambda: len(children(process)) == 2)
        pids = children(process)
        assert classify(url) == 200
        process.kill()
        assert until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids))
        assert until(lambda: is_refused(url))


def is_refused(url):
    with socket.socket() as client:
        return client.connect_ex(address(url)) == errno.ECONNREFUSED


def family(work):
    """The exit status and words of a program that keeps two processes at some work, and is told to end once both have begun."""
    program = f"""
import os, signal, sys, time
from headway.serving import processes
processes.GRACE = processes.SHORTEST_LIFE = 0.1
def work(member):
    os.write(1, b"begun\\n")
{textwrap.indent(textwrap.dedent(work), "    ")}
processes.run_processes(2, work, drain_seconds=0.1)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(2):
        assert process.stdout.readline() == "begun\n"
    time.sleep(0.1)
    process.terminate()
    said = process.communicate(timeout=PATIENCE)[1]
    return process.returncode, said


def test_processes_that_do_not_end_in_time_are_killed():
    assert family("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(30)") == (0, "")


def test_a_process_that_ends_at_once_is_replaced_after_a_pause_and_says_why():
    work = """
    if member.place == 1:
        from headway.errors import ConfigError
        raise ConfigError("Nothing is right.")
    time.sleep(30)
    """
    began = time.monotonic()
    status, said = family(work)
    assert status == 0
    assert 1 <= said.count("headway: Nothing is right.\n") <= 2 + (time.monotonic() - began) / 0.1
    assert re.search(r"has ended after \d+ seconds and is replaced", said)


def test_where_no_process_can_be_made_it_is_tried_again():
    program = """
import os
from headway.serving import processes
processes.SHORTEST_LIFE = 0.05
fork, failures = os.fork, iter([OSError(11, "no room")] * 3)
def fail_at_first():
    for error in failures:
        raise error
    return fork()
os.fork = fail_at_first
processes.run_processes(1, lambda member: os.kill(os.getppid(), 15), drain_seconds=1)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert found.stderr.count("no process could be made ([Errno 11] no room)") == 3
