"""What ``headway`` itself does around a command: overview, suggestions, errors as one clear line, exit statuses."""

import subprocess
import sys

import pytest

import headway
from headway.cli import main as cli
from headway.cli.main import main
from headway.core import registry

COMMAND_FILE = '''
from dataclasses import dataclass

from headway.cli.command import Command
from headway.core.config import Config
from headway.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Settings(Config):
    """What it does."""

    mood: str = "well"
    """How it ends."""


def run(settings):
    if settings.mood == "refused":
        raise DataError("The file is empty, so there is nothing to learn. Give another.")
    if settings.mood == "full":
        raise OSError(28, "No space left on device", "model.onnx")
    if settings.mood == "stopped":
        raise KeyboardInterrupt
    if settings.mood == "broken":
        raise ZeroDivisionError("a mistake of ours")
    print(f"went {settings.mood}")


COMMAND = Command(summary="Goes well.", settings=Settings, run=run)
'''


@pytest.fixture(autouse=True)
def two_commands(tmp_path, monkeypatch):
    """Two commands in a package of their own, so that these tests do not depend on what commands there are."""
    package = tmp_path / "some_commands"
    package.mkdir()
    for name in ("__init__", "go", "go_far"):
        (package / f"{name}.py").write_text("" if name == "__init__" else COMMAND_FILE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(cli, "COMMANDS", "some_commands")
    yield
    registry.module_names.cache_clear()
    for name in [name for name in sys.modules if name.startswith("some_commands")]:
        del sys.modules[name]


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_theoverview_lists_each_command_with_its_summary(capsys, words):
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "  go      Goes well." in shown
    assert "  go-far  Goes well." in shown


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"headway {headway.__version__}\n"


def test_a_command_runs_with_its_settings(capsys):
    assert main(["go-far", "--mood", "merrily"]) == 0
    assert capsys.readouterr().out == "went merrily\n"


def test_help_of_a_command_is_a_success(capsys):
    assert main(["go", "--help"]) == 0
    assert "usage: headway go [flags]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        pytest.param(
            ["go", "--mood", "refused"],
            1,
            "headway: The file is empty, so there is nothing to learn. Give another.\n",
            id="refused",
        ),
        pytest.param(
            ["go", "--mood", "full"], 1, "headway: [Errno 28] No space left on device: 'model.onnx'\n", id="the disk is full"
        ),
        pytest.param(["go", "--mood", "stopped"], 130, "headway: stopped from the keyboard.\n", id="Ctrl-C"),
        pytest.param(
            ["goo-far"],
            2,
            "headway: there is no command 'goo-far'. Did you mean 'go-far'? 'headway --help' lists the commands.\n",
            id="typo",
        ),
        pytest.param(
            ["serve"],
            2,
            "headway: there is no command 'serve'. Known: go, go-far. 'headway --help' lists the commands.\n",
            id="unknown",
        ),
        pytest.param(
            ["--mood"],
            2,
            "headway: there is no flag '--mood' before a command. Known: go, go-far. 'headway --help' lists the commands.\n",
            id="flag before a command",
        ),
    ],
)
def test_what_goes_wrong_is_one_line_and_a_status(capsys, words, status, said):
    assert main(words) == status
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", said)


def test_a_warning_is_one_line_and_no_reason_to_stop():
    code = "import headway.cli.main as m, warnings; m.overview = lambda: warnings.warn('It goes.') or 'went'; m.main(['-h'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("went\n", "headway: It goes.\n")


def test_misuse_of_a_flag_is_status_two(capsys):
    assert main(["go", "--moood", "x"]) == 2
    assert "there is no flag '--moood'. Did you mean '--mood'?" in capsys.readouterr().err


def test_a_mistake_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        main(["go", "--mood", "broken"])


def test_a_reader_that_leaves_ends_the_output_quietly():
    code = "import headway.cli.main as m, sys; m.overview = lambda: 'x' * 10**6; sys.exit(m.main(['--help']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
