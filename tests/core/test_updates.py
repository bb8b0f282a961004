import subprocess
import sys
import textwrap
import threading
from signal import SIGKILL

import pytest

from headway.core import updates
from headway.core.updates import COMMITTED, atomic_update, finish_update

STEPS = """
import os, signal
from headway.core import files, updates

count = 0
def dying(function):
    def call(*arguments, **keywords):
        global count
        if count == KILL_AT:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
        return function(*arguments, **keywords)
    return call

for module, name in ((os, "replace"), (os, "unlink"), (os, "rmdir"), (os, "mkdir"), (os, "fsync")):
    setattr(module, name, dying(getattr(module, name)))

with updates.atomic_update(FOLDER, replaces=("weights-*",)) as draft:
    (draft / "weights-new").write_text("new")
    (draft / "config").write_text("new")
print(count)
"""


def state(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith(".")}


OLD = {"weights-1": "old", "weights-2": "old", "config": "old", "notes": "mine"}
NEW = {"weights-new": "new", "config": "new", "notes": "mine"}


def make_old(folder):
    folder.mkdir()
    for name, text in OLD.items():
        (folder / name).write_text(text)


def run(folder, kill_at: int) -> subprocess.CompletedProcess:
    code = STEPS.replace("KILL_AT", str(kill_at)).replace("FOLDER", repr(str(folder)))
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)


def test_an_update_replaces_what_it_brings_removes_what_it_replaces_and_keeps_the_rest(tmp_path):
    folder = tmp_path / "model"
    make_old(folder)
    with atomic_update(folder, replaces=("weights-*",)) as draft:
        (draft / "weights-new").write_text("new")
        (draft / "config").write_text("new")
        assert state(folder) == OLD
    assert state(folder) == NEW
    assert not any(path.name.startswith(".") for path in folder.iterdir())


def test_files_in_folders_take_their_places_beside_others(tmp_path):
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "one").write_text("old")
    (tmp_path / "onnx" / "stale").write_text("old")
    (tmp_path / "onnx" / "two").write_text("old")
    with atomic_update(tmp_path, replaces=("onnx/stale", "onnx/two")) as draft:
        for folder in ("onnx", "pooling"):
            (draft / folder).mkdir()
            (draft / folder / "two").write_text("new")
    assert state(tmp_path / "onnx") == {"one": "old", "two": "new"}
    assert state(tmp_path / "pooling") == {"two": "new"}
    assert {path.name for path in tmp_path.iterdir()} == {"onnx", "pooling"}


def test_a_failed_update_changes_nothing(tmp_path):
    folder = tmp_path / "model"
    make_old(folder)

    def write_half():
        with atomic_update(folder, replaces=("weights-*",)) as draft:
            (draft / "config").write_text("new")
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        write_half()
    assert state(folder) == OLD
    assert not any(path.name.startswith(".") for path in folder.iterdir())


def test_killed_at_every_system_call_it_leaves_the_old_state_or_the_new_one(tmp_path):
    make_old(tmp_path / "counted")
    calls = int(run(tmp_path / "counted", kill_at=-1).stdout)
    seen = []
    for kill_at in range(calls):
        folder = tmp_path / f"killed-{kill_at}"
        make_old(folder)
        assert run(folder, kill_at).returncode == -SIGKILL
        finish_update(folder)
        assert state(folder) in (OLD, NEW), kill_at
        seen.append(state(folder) == NEW)
        assert not (folder / COMMITTED).exists()
    assert seen == sorted(seen)  # old up to one call, new from there on
    assert 0 < sum(seen) < calls


def test_the_next_update_completes_the_one_before(tmp_path):
    folder = tmp_path / "model"
    make_old(folder)
    committed = folder / COMMITTED
    committed.mkdir()
    (committed / ".plan.json").write_text('{"brings": ["config", "first"], "replaces": ["notes"]}')
    (committed / "first").write_text("first")  # "config" had taken its place already
    with atomic_update(folder) as draft:
        (draft / "second").write_text("second")
    assert state(folder) == {name: text for name, text in OLD.items() if name != "notes"} | {"first": "first", "second": "second"}


def test_many_readers_may_finish_the_same_update(tmp_path):
    folder = tmp_path / "model"
    make_old(folder)
    committed = folder / COMMITTED
    committed.mkdir()
    names = [f"file-{number}" for number in range(97)]
    for name in names:
        (committed / name).write_text("new")
    (committed / ".plan.json").write_text(f'{{"brings": {names!r}, "replaces": []}}'.replace("'", '"'))
    threads = [threading.Thread(target=finish_update, args=(folder,)) for _ in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state(folder) == OLD | dict.fromkeys(names, "new")


def test_a_reader_finishes_an_update_that_was_committed_just_before_its_lock(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    make_old(folder)
    finish, finished = updates.finish_update, []

    def killed_afterwards(place):
        finish(place)
        if not finished:
            committed = folder / COMMITTED
            committed.mkdir()
            (committed / "config").write_text("new")
            (committed / ".plan.json").write_text('{"brings": ["config"], "replaces": []}')
        finished.append(place)

    monkeypatch.setattr(updates, "finish_update", killed_afterwards)
    with updates.undisturbed(folder):
        assert state(folder) == OLD | {"config": "new"}
    assert len(finished) == 2


def test_a_system_without_locks_updates_as_well(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    folder = tmp_path / "model"
    make_old(folder)
    with atomic_update(folder, replaces=("weights-*",)) as draft:
        (draft / "weights-new").write_text("new")
        (draft / "config").write_text("new")
    assert state(folder) == NEW


def test_nothing_to_finish_is_no_error(tmp_path):
    finish_update(tmp_path)
    finish_update(tmp_path / "absent")
