"""What a pipeline is called with: one input, a collection of them, a stream; or a whole table, which is refused."""

from collections.abc import Iterable, Mapping, Sized
from typing import Any, Literal, TypeAlias

from headway.errors import InputError
from headway.tasks.columns import SINGLES

Kind: TypeAlias = Literal["text", "item", "list", "stream"]
SHOWN = 8


def read_inputs(inputs: Any) -> tuple[Kind, Iterable[Any]]:
    """How the inputs are answered, and one after the other.

    ``text`` and ``item`` (a pair, or something that will be refused) are one; a ``list`` is a collection whose length is known,
    whatever its type; a ``stream`` is anything else that gives one input after another, or that can only be asked for one by its
    number, as data sets of torch can.
    """
    if isinstance(inputs, str):
        return "text", [inputs]
    _refuse_table(inputs)
    if hasattr(inputs, "to_pylist"):
        return "list", inputs.to_pylist()  # Arrow's own scalars are no strings
    if isinstance(inputs, bytes | bytearray | Mapping) or getattr(inputs, "shape", None) == ():
        return "item", [inputs]
    if isinstance(inputs, Iterable):
        return "list" if isinstance(inputs, Sized) else "stream", inputs
    if isinstance(inputs, Sized) and hasattr(inputs, "__getitem__"):
        return "stream", (inputs[place] for place in range(len(inputs)))
    return "item", [inputs]


def _refuse_table(inputs: Any) -> None:
    """Refuse a data frame or data set, which does not say which of its columns is meant; pandas, polars, Arrow, datasets."""
    if not hasattr(type(inputs), "column_names") and (isinstance(inputs, Mapping) or not hasattr(type(inputs), "columns")):
        return
    kind, names = type(inputs).__name__, _column_names(inputs)
    if isinstance(inputs, Mapping):
        split = next(iter(inputs), "train")
        raise InputError(
            f"The input is a {kind} with the splits {', '.join(map(str, inputs))}, which is several tables. Choose one, and its "
            f"column: pipe(data[{split!r}]['text'])."
        )
    said = f"with the columns {', '.join(names[:SHOWN])}{', …' if len(names) > SHOWN else ''}" if names else "of several columns"
    column = next((name for name in (*SINGLES, *names) if name in names), "text")
    raise InputError(
        f"The input is a whole {kind} {said}, and which one holds the texts is not said. Name it: pipe(data[{column!r}]). For "
        'pairs give a list or a generator of {"text": …, "text_pair": …}.'
    )


def _column_names(inputs: Any) -> list[str]:
    """The columns' names, where asking for them costs nothing."""
    names = getattr(inputs, "column_names", None)
    if names is None and isinstance(inputs, Sized):
        names = getattr(inputs, "columns", None)
    return [] if names is None or isinstance(names, Mapping) else [str(name) for name in names]
