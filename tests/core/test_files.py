import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from headway.core import files
from headway.core.files import atomic_file, atomic_folder, remove_drafts


def entries(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def run_until_it_kills_itself(code: str) -> None:
    """Run Python code that ends in SIGKILL, so that no ``finally`` of it runs."""
    done = subprocess.run([sys.executable, "-c", "import os, signal\n" + textwrap.dedent(code)], check=False)
    assert done.returncode == -signal.SIGKILL


def test_a_file_appears_under_its_name_only_when_whole(tmp_path):
    path = tmp_path / "deep" / "er" / "notes.txt"
    with atomic_file(path) as draft:
        draft.write_text("one")
        assert not path.exists()
        assert draft.parent == path.parent
    assert path.read_text() == "one"
    assert entries(path.parent) == ["notes.txt"]


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("old")

    def write_half():
        with atomic_file(path) as draft:
            draft.write_text("ne")
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        write_half()
    assert path.read_text() == "old"
    assert entries(tmp_path) == ["notes.txt"]


def test_a_block_that_writes_nothing_is_an_error_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_file(path):
        pass
    assert path.read_text() == "old"


def test_a_file_cannot_take_the_place_of_a_folder_and_leaves_it_as_it_was(tmp_path):
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="taken"), atomic_file(tmp_path / "taken") as draft:
        draft.write_text("one")
    assert entries(tmp_path) == ["taken", "taken/inside"]


def test_a_folder_replaces_the_old_one_as_a_whole(tmp_path):
    for name in ("first", "second"):
        with atomic_folder(tmp_path / "model") as draft:
            (draft / "sub").mkdir()
            (draft / "sub" / name).write_text(name)
    assert entries(tmp_path) == ["model", "model/sub", "model/sub/second"]


def test_a_failed_folder_leaves_the_old_one_and_no_draft(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()

    def write_half():
        with atomic_folder(tmp_path / "model") as draft:
            (draft / "new").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert entries(tmp_path) == ["model", "model/old"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges two folders in one step")
def test_there_is_no_moment_without_the_folder(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    moves = []
    monkeypatch.setattr(os, "replace", lambda *paths: moves.append(paths))
    with atomic_folder(tmp_path / "model") as draft:
        (draft / "new").touch()
    assert moves == []
    assert entries(tmp_path) == ["model", "model/new"]


def test_a_kill_between_the_two_steps_of_a_replacement_loses_nothing(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    run_until_it_kills_itself(f"""
        from headway.core import files
        files._exchange = lambda draft, path: False
        replace = os.replace
        def replace_and_die(*paths):
            replace(*paths)
            os.kill(os.getpid(), signal.SIGKILL)
        os.replace = replace_and_die
        with files.atomic_folder({str(tmp_path / "model")!r}) as draft:
            (draft / "new").touch()
    """)
    assert not (tmp_path / "model").exists()
    remove_drafts(tmp_path)
    assert entries(tmp_path) == ["model", "model/old"]


def test_a_replacement_in_two_steps_leaves_only_the_new_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_exchange", lambda draft, path: False)
    for name in ("first", "second"):
        with atomic_folder(tmp_path / "model") as draft:
            (draft / name).touch()
    assert entries(tmp_path) == ["model", "model/second"]


@pytest.mark.parametrize("kind", ["atomic_file", "atomic_folder"])
def test_the_next_writer_removes_the_draft_of_a_killed_one(tmp_path, kind):
    run_until_it_kills_itself(f"""
        from headway.core.files import {kind}
        with {kind}({str(tmp_path / "target")!r}) as draft:
            (draft.touch if "{kind}" == "atomic_file" else (draft / "part").touch)()
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    with atomic_file(tmp_path / "target") as draft:
        draft.touch()
    assert entries(tmp_path) == ["target"]


def test_drafts_of_living_writers_are_left_alone(tmp_path):
    with atomic_folder(tmp_path / "mine") as mine:
        (mine / "part").touch()
        other = tmp_path / f".theirs.{os.getppid()}-0123abcd.part"
        other.touch()
        dead = tmp_path / ".theirs.999999999-0123abcd.part"
        dead.touch()
        remove_drafts(tmp_path)
        assert (mine / "part").exists()
        assert other.exists()
        assert not dead.exists()


def test_a_draft_from_an_earlier_process_with_this_process_id_is_removed(tmp_path):
    (tmp_path / f".model.{os.getpid()}-0123abcd.part").mkdir()
    remove_drafts(tmp_path)
    assert entries(tmp_path) == []


def test_hidden_files_of_others_are_not_drafts(tmp_path):
    names = [".big.iso.part", ".git", ".notes.old", ".part", "model.part"]
    for name in names:
        (tmp_path / name).touch()
    remove_drafts(tmp_path)
    assert entries(tmp_path) == names


def test_an_old_folder_whose_successor_is_there_is_removed(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / ".model.999999999-0123abcd.old").mkdir()
    remove_drafts(tmp_path)
    assert entries(tmp_path) == ["model"]


@pytest.mark.parametrize(("answer", "stays"), [(ProcessLookupError, False), (PermissionError, True), (None, True)])
def test_a_writer_that_belongs_to_another_user_lives(tmp_path, monkeypatch, answer, stays):
    def kill(process, signal_number):
        assert (process, signal_number) == (12345, 0)
        if answer:
            raise answer

    monkeypatch.setattr(os, "kill", kill)
    (tmp_path / ".model.12345-0123abcd.part").touch()
    remove_drafts(tmp_path)
    assert bool(entries(tmp_path)) == stays


def test_where_asking_after_a_process_would_end_it_nobody_asks(tmp_path, monkeypatch):
    (tmp_path / ".model.12345-0123abcd.part").touch()
    files_of_tests = entries(tmp_path)
    monkeypatch.setattr(os, "kill", lambda *arguments: pytest.fail("a process was signalled"))
    with monkeypatch.context() as windows:
        windows.setattr(files.os, "name", "nt")
        alive = files._lives(files.HIDDEN.fullmatch(files_of_tests[0]))
    assert alive


def test_a_system_that_cannot_exchange_folders_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not files._exchange(tmp_path / "a", tmp_path / "b")
