"""The cache of graphs: keys, memory of hashes, kills, and several writers at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headway.core.hashes import cache_folder, content_hash
from headway.errors import ConfigError
from headway.inference.cache import cached, fingerprint

WRITER = """
import time
from pathlib import Path
from headway.errors import ConfigError
from headway.inference.cache import cached

def slowly(draft, content):
    with open(draft, "wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        print("half", flush=True)
        time.sleep(600)

Path.write_bytes = slowly
cached("key", lambda: b"0123456789" * 1000)
"""


def test_the_folder_is_named_by_the_environment_or_else_below_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HEADWAY_CACHE", "~/elsewhere")
    assert cache_folder() == Path.home() / "elsewhere"
    monkeypatch.delenv("HEADWAY_CACHE")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache_folder() == tmp_path / ".cache" / "headway"


def test_what_is_there_is_not_built(cache):
    path = cached("key", lambda: b"content")
    assert path.read_bytes() == b"content"
    assert cached("key", lambda: pytest.fail("built again")) == path


@pytest.fixture
def graphs(cache):
    """``graphs(name=age, …)``: graphs of a hundred bytes that were last used so many seconds ago; returns those still there."""

    def make(**ages):
        for name, age in ages.items():
            path = cached(name, lambda: b"x" * 100)
            os.utime(path, (time.time() - age, time.time() - age))
        return lambda: {path.stem for path in cache.rglob("*.onnx")}

    return make


def test_the_graphs_not_used_for_longest_make_room_for_new_ones(graphs, monkeypatch):
    left = graphs(oldest=90_000, old=80_000, newer=70_000)
    monkeypatch.setenv("HEADWAY_CACHE_GB", "250e-9")
    cached("newest", lambda: b"x" * 100)
    assert left() == {"newer", "newest"}


def test_use_keeps_a_graph(graphs, monkeypatch):
    left = graphs(oldest=90_000, old=80_000)
    cached("oldest", lambda: b"")
    monkeypatch.setenv("HEADWAY_CACHE_GB", "250e-9")
    cached("newest", lambda: b"x" * 100)
    assert left() == {"oldest", "newest"}


def test_what_was_just_used_or_just_built_stays_even_beyond_the_limit(graphs, monkeypatch):
    monkeypatch.setenv("HEADWAY_CACHE_GB", "0")
    left = graphs(busy=60)
    cached("newest", lambda: b"x" * 100)
    assert left() == {"busy", "newest"}


def test_a_limit_that_is_no_number_is_an_error(cache, monkeypatch):
    monkeypatch.setenv("HEADWAY_CACHE_GB", "much")
    with pytest.raises(ConfigError, match="HEADWAY_CACHE_GB is 'much', but it is a number of gigabytes"):
        cached("key", lambda: b"content")


def test_a_failed_build_leaves_nothing(cache):
    def build():
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        cached("key", build)
    assert not list(cache.rglob("*.onnx"))


def test_fingerprints_see_contents_names_and_settings(cache, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    base = fingerprint([first, second], "fp32")
    assert fingerprint([second, first], "fp32") == base
    others = [fingerprint([first], "fp32"), fingerprint([first, second], "int8"), fingerprint([first, second], "fp", "32")]
    second.write_bytes(b"3")
    others.append(fingerprint([first, second], "fp32"))
    assert len({base, *others}) == 5


def test_a_large_file_is_hashed_once_while_it_stays_the_same(cache, tmp_path, monkeypatch):
    file = tmp_path / "weights"
    file.write_bytes(b"weights")
    long_ago = time.time() - 60
    os.utime(file, (long_ago, long_ago))
    found = content_hash(file)
    with monkeypatch.context() as patch:
        patch.setattr("hashlib.file_digest", None)
        assert content_hash(file) == found
    file.write_bytes(b"others!")
    os.utime(file, (long_ago + 1, long_ago + 1))
    assert content_hash(file) != found


def test_a_file_just_written_is_not_trusted_to_its_time_stamp(cache, tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"weights")
    stamp = file.stat()
    found = content_hash(file)
    file.write_bytes(b"others!")
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert content_hash(file) != found


def test_a_damaged_memory_of_hashes_is_made_again(cache, tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"weights")
    os.utime(file, (1, 1))
    found = content_hash(file)
    (memory,) = (cache / "hashes").iterdir()
    for damage in ("", "[]", "{}", '{"file": [1, 2, 3]}'):
        memory.write_text(damage)
        assert content_hash(file) == found


def start_writer(cache):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER], env=os.environ | {"HEADWAY_CACHE": str(cache)}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "half\n"
    return process


def test_a_writer_killed_half_way_leaves_a_cache_that_works(cache):
    process = start_writer(cache)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (draft,) = (cache / "graphs").iterdir()
    assert draft.stat().st_size == 5000  # half of it was written
    path = cached("key", lambda: b"whole")
    assert path.read_bytes() == b"whole"
    assert list((cache / "graphs").iterdir()) == [path]  # and the draft is gone


def test_two_writers_at_once_do_not_disturb_each_other(cache):
    process = start_writer(cache)
    try:
        path = cached("key", lambda: b"whole")
        assert path.read_bytes() == b"whole"
        assert len(list((cache / "graphs").iterdir())) == 2  # the other writes on
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
