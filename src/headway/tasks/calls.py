"""How the arguments of a pipeline's call become inputs and options."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from headway.errors import TaskError

ReadCall: TypeAlias = Callable[[tuple[Any, ...], Mapping[str, Any]], tuple[Any, dict[str, Any]]]
"""From positional and named arguments to the inputs (one, a list or another iterable of them) and the options by name."""


def one_input(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The inputs as the only argument, under the name ``inputs`` if it has one."""
    options = dict(named)
    given = [*arguments, *([options.pop("inputs")] if "inputs" in options else [])]
    if len(given) != 1:
        raise TaskError(
            f"A call takes one argument, a text or an iterable of texts, but {len(given)} were given. Put several texts in a "
            "list, and name options: pipe(texts, top_k=2)."
        )
    return given[0], options
