"""``headway COMMAND …``: finds the command's file, turns its settings into flags, runs it, and says plainly what went wrong.

Nothing is imported before it is asked for: the overview looks at the commands, a command's help only at that command's settings.
"""

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from headway import __version__
from headway.cli.command import Command
from headway.core import registry
from headway.errors import HeadwayError

COMMANDS = "headway.cli.commands"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; the exit status: 0 done, 1 refused or failed, 2 misused, 130 interrupted, 141 nobody reads on."""
    try:
        with _warnings_as_notes():
            status = _dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains again at exit
        return 141
    except (HeadwayError, OSError) as error:
        return _complain(str(error), status=1)
    except KeyboardInterrupt:
        return _complain("stopped from the keyboard.", status=130)
    return status


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Warnings as one line each, without the place in the code that they come from."""
    usual = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"headway: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _dispatch(arguments: list[str]) -> int:
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help"):
        print(overview())
    elif name == "--version":
        print(f"headway {__version__}")
    elif name.replace("-", "_") not in registry.module_names(COMMANDS):
        return _complain(_unknown(name), status=2)
    else:
        return _run(name, arguments[1:])
    return 0


def _run(name: str, arguments: list[str]) -> int:
    from headway.cli._flags import parse

    command: Command = registry.load(COMMANDS, name.replace("-", "_"), "COMMAND")
    try:
        settings = parse(command, arguments, program=f"headway {name}")
    except SystemExit as stop:  # argparse has said what it had to say
        return int(stop.code or 0)
    command.run(settings)
    return 0


def overview() -> str:
    """All commands with their summaries, as ``headway --help`` prints them."""
    modules = registry.module_names(COMMANDS)
    summaries = {_spelled(module): registry.load(COMMANDS, module, "COMMAND").summary for module in modules}
    width = max((len(name) for name in summaries), default=0)
    rows = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in summaries.items())
    return (
        f"usage: headway COMMAND …\n\nEncoder transformers, from raw text to a served model.\n\ncommands:\n{rows}\n\n"
        "headway COMMAND --help says what a command takes; headway --version says which version this is."
    )


def _unknown(name: str) -> str:
    from headway.core.config import nearest

    known = {_spelled(module) for module in registry.module_names(COMMANDS)}
    what = f"there is no flag {name!r} before a command." if name.startswith("-") else f"there is no command {name!r}."
    return f"{what}{nearest(name, known)} 'headway --help' lists the commands."


def _spelled(module: str) -> str:
    return module.replace("_", "-")


def _complain(message: str, *, status: int) -> int:
    print(f"headway: {message}", file=sys.stderr)
    return status
