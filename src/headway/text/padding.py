"""``pad``: inputs that were tokenised before, brought to one length, as data collators need it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from headway.errors import InputError
from headway.text.batch import BatchEncoding
from headway.text.encoded import Filling
from headway.text.inputs import shown

COLUMNS = {"token_type_ids": "type_ids", "attention_mask": "attention_mask", "special_tokens_mask": "special_tokens_mask"}
"""What is padded beside the ids, with its name in an encoding. Everything else stays as it is."""


def pad_inputs(
    inputs: Any, fill: Callable[[Sequence[int]], Filling | None], *, ids_name: str, adds_mask: bool, return_tensors: str | None
) -> BatchEncoding:
    """The inputs of one text, or of many, with padding; ``fill`` says from their lengths which.

    Arrays in give arrays of their kind, unless ``return_tensors`` says otherwise.
    """
    data = _by_name(inputs, ids_name)
    kind = return_tensors or _kind(data[ids_name])
    data = {name: _plain(value) for name, value in data.items()}
    is_batch = not data[ids_name] or isinstance(data[ids_name][0], list | tuple)
    if not is_batch:
        data = {name: [value] for name, value in data.items()}
    if adds_mask and "attention_mask" not in data:
        data["attention_mask"] = [[1] * len(row) for row in data[ids_name]]
    _check_rows(data, ids_name)
    padded = _padded(data, fill([len(row) for row in data[ids_name]]), ids_name)
    return BatchEncoding(padded if is_batch else {name: value[0] for name, value in padded.items()}, tensor_type=kind)


def _by_name(inputs: Any, ids_name: str) -> dict[str, Any]:
    """The inputs by name, from a list with those of each text too."""
    if isinstance(inputs, list | tuple) and inputs and all(isinstance(entry, Mapping) for entry in inputs):
        for index, entry in enumerate(inputs):
            if set(entry) != set(inputs[0]):
                raise InputError(
                    f"Text {index} has the inputs {', '.join(entry)}, but text 0 has {', '.join(inputs[0])}, so they make no "
                    "batch. Give all texts the same inputs."
                )
        inputs = {name: [entry[name] for entry in inputs] for name in inputs[0]}
    if not isinstance(inputs, Mapping) or ids_name not in inputs:
        found = f"those of {', '.join(inputs)}" if isinstance(inputs, Mapping) else shown(inputs)
        raise InputError(
            f"There is no {ids_name} in these inputs ({found}), so there is nothing to pad. "
            "Give what a call of the tokenizer returned, or a list of such."
        )
    return dict(inputs)


def _kind(ids: Any) -> str | None:
    """The kind of arrays that ids, or the rows of ids, are."""
    found = ids if hasattr(ids, "tolist") else next(iter(ids), None)
    if not hasattr(found, "tolist"):
        return None
    return "np" if isinstance(found, np.ndarray | np.generic) else "pt"


def _plain(value: Any) -> Any:
    """Arrays, and lists of them, as lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _check_rows(data: Mapping[str, Any], ids_name: str) -> None:
    for name, rows in data.items():
        if not isinstance(rows, Sequence) or len(rows) != len(data[ids_name]):
            raise InputError(
                f"{name} is {shown(rows)}, but there are {len(data[ids_name])} texts and each needs one. "
                "Give as many of every input."
            )


def _padded(data: Mapping[str, Any], filling: Filling | None, ids_name: str) -> dict[str, Any]:
    if filling is None:
        return dict(data)
    names = {**COLUMNS, ids_name: "ids"}
    return {
        name: [filling.filled(row, filling.value(names[name])) for row in rows] if name in names else rows
        for name, rows in data.items()
    }
