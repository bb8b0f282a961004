"""What a task's answers look like in a table: names and kinds that do not depend on the file that they are written to."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["text", "number", "integer", "truth"] | tuple["Column", ...]
"""What one value is; a tuple of columns is a record with these fields. ``number`` is a float of 32 bits."""


@dataclass(frozen=True)
class Column:
    """One column of answers. ``depth`` counts the levels of lists around its values: a vector has 1."""

    name: str
    kind: Kind
    depth: int = 0


LABEL = (Column("label", "text"), Column("score", "number"))
"""A label and its score."""
