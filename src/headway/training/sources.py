"""What people give as data: files, lists of dicts, data sets, data frames and streams, all read as rows with a length.

Nothing is imported for a library's objects: they are known by what they can do.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from headway.errors import DataError

FORMS = (
    "Give a list of dicts, a datasets.Dataset, a data frame of pandas or Polars, the path of a CSV, JSON Lines or Parquet file, "
    "or anything else with len() and [index]."
)


class FileRows(list[Mapping[str, Any]]):
    """The rows of a file, which messages then call by its name, counting rows from 1 on."""

    def __init__(self, rows: Iterable[Mapping[str, Any]], *, file: str) -> None:
        super().__init__(rows)
        self.file = file


def rows_of(data: Any, name: str, *, at_most: int | None = None) -> Any:
    """The rows of some data, with a length and by index. ``name`` is what messages call the data.

    Of a stream, which has no length, the first ``at_most`` rows are read; without a bound it is a ``DataError``, as is what has
    no rows.
    """
    match data:
        case None:
            raise DataError(f"{name} is missing, so there is nothing to learn from or to measure. {FORMS}")
        case str() | Path():
            found: Any = _of_file(Path(data), name)
        case Mapping():
            raise DataError(_several(data, name))
        case _ if hasattr(data, "iter_rows"):
            found = list(data.iter_rows(named=True))
        case _ if hasattr(data, "itertuples"):
            found = data.to_dict("records")
        case _:
            found = _indexed(data, name, at_most)
    if not len(found):
        raise DataError(f"{name} is empty, so there is nothing to learn from or to measure. Give at least one row.")
    return found


def _of_file(path: Path, name: str) -> FileRows:
    from headway.tables import read_rows

    if not path.is_file():
        raise DataError(f"{name} is {str(path)!r}, but there is no such file. Correct the path. {FORMS}")
    return FileRows(read_rows(path), file=str(path))


def _several(data: Mapping[Any, Any], name: str) -> str:
    """What to do with a mapping: pick one of its splits, or give its rows as a list."""
    splits = ", ".join(map(str, data))
    if data and all(hasattr(value, "__len__") and hasattr(value, "features") for value in data.values()):
        return (
            f"{name} is a DatasetDict with the splits {splits}, but rows of one are wanted. Pick it: "
            f"{name}=data[{next(iter(data))!r}]."
        )
    return f"{name} is a dict with {splits or 'nothing'}, but rows are wanted. {FORMS}"


def _indexed(data: Any, name: str, at_most: int | None) -> Any:
    if hasattr(data, "__len__") and hasattr(data, "__getitem__"):
        return data
    if isinstance(data, Iterable) and at_most is not None:
        return list(islice(data, at_most))
    stream = " As it has no length, set max_steps: then as many rows are read as these steps see."
    raise DataError(
        f"{name} is a {type(data).__name__}, which has no length. {FORMS}{stream if isinstance(data, Iterable) else ''}"
    )
