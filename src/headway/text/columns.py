"""Encoded texts as inputs of a model by name: rows in lists, or arrays."""

from collections.abc import Sequence
from typing import Any

from headway.text.encoded import Encodings
from headway.text.tensors import Grid, Tensors, as_tensor

COLUMNS = {
    "input_ids": "ids",
    "token_type_ids": "type_ids",
    "attention_mask": "attention_mask",
    "special_tokens_mask": "special_tokens_mask",
    "offset_mapping": "offsets",
}
"""The inputs by name, in order, and what they are called in an encoding."""


def named_columns(encodings: Encodings, names: Sequence[str], *, is_untyped: bool, tensors: Tensors | None) -> dict[str, Any]:
    """The columns of these names with padding: a list of rows, or an array (texts, tokens), of offsets (texts, tokens, 2)."""
    if tensors is None:
        return {name: _padded(encodings, name, _rows(encodings, name, is_untyped=is_untyped)) for name in names}
    grid = Grid(encodings.lengths, encodings.filling)
    return {name: as_tensor(_array(encodings, name, grid, is_untyped=is_untyped), tensors, name=name) for name in names}


def _rows(encodings: Encodings, name: str, *, is_untyped: bool) -> list[list[Any]]:
    if name == "token_type_ids" and is_untyped:
        return [[0] * length for length in encodings.lengths]
    return encodings.rows(COLUMNS[name])


def _padded(encodings: Encodings, name: str, rows: list[list[Any]]) -> list[list[Any]]:
    filling = encodings.filling
    if filling is None:
        return rows
    value = filling.value(COLUMNS[name])
    return [filling.filled(row, value) for row in rows]


def _array(encodings: Encodings, name: str, grid: Grid, *, is_untyped: bool) -> Any:
    filling = encodings.filling
    if name == "attention_mask":
        return grid.is_token.astype("int64")
    if name == "offset_mapping":
        return grid.spans(encodings.rows("offsets"))
    fill = 0 if filling is None else filling.value(COLUMNS[name])
    if name == "token_type_ids" and is_untyped and not fill:
        return grid.is_token.astype("int64") * 0
    return grid.array(_rows(encodings, name, is_untyped=is_untyped), fill=fill)
