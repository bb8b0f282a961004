"""What people pass to a model, checked before torch meets it: kinds, devices, shapes, and ranges.

Ranges of all arrays are read at once, so that a GPU is waited for once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from headway.errors import InputError

INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids", "inputs_embeds")
IDS = ("input_ids", "token_type_ids", "position_ids")
WHOLE = (torch.int64, torch.int32)
"""The numbers that torch looks vectors up with."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """What whole numbers may be: ``low`` to ``high``, or ``besides``. ``says`` follows a wrong one, and ``remedy`` that."""

    name: str
    values: Tensor | None
    low: int = 0
    high: int
    says: str
    remedy: str
    besides: int | None = None


def check_tensors(given: Mapping[str, Any], device: torch.device) -> None:
    """Refuse what is no tensor, not where the model is, or ids that are no whole numbers."""
    for name, values in given.items():
        if values is None:
            continue
        if not isinstance(values, Tensor):
            advice = (
                "Write model(**inputs), with two asterisks"
                if hasattr(values, "keys")
                else 'Tokenize with return_tensors="pt" and padding=True, or use torch.tensor(…)'
            )
            raise InputError(f"{name} is a {type(values).__name__}, but a model reads torch tensors. {advice}.")
        if values.device != device and values.device.type != "meta":
            raise InputError(
                f"{name} is on {values.device}, but the model is on {device}. Move the inputs: inputs.to(model.device)."
            )
    check_kinds(given)


def in_long(targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The targets with whole numbers of any kind in the one that torch's losses read."""
    return {name: values if values.is_floating_point() else values.long() for name, values in targets.items()}


def check_kinds(given: Mapping[str, Tensor | None]) -> None:
    """Refuse ids that are no whole numbers, and token vectors that are."""
    for name, values in given.items():
        if values is None or not values.numel():
            continue
        if name in IDS and values.dtype not in WHOLE:
            raise InputError(
                f"{name} holds {kind(values)} numbers, but they are looked up, so they are whole ones. Pass {name}.long(), or "
                'make them with tokenizer(…, return_tensors="pt").'
            )
        if name == "inputs_embeds" and not values.is_floating_point():
            raise InputError(
                f"inputs_embeds holds {kind(values)} numbers, but these are token vectors. Pass ids as input_ids, or vectors "
                "from model.get_input_embeddings()."
            )


def check_ranges(ranges: Iterable[Range]) -> None:
    """Refuse numbers beyond their range, all looked at together."""
    there = [(one, one.values) for one in ranges if one.values is not None and one.values.numel()]
    ends = [end.long() for one, values in there for end in torch.aminmax(_considered(one, values))]
    found = torch.stack(ends).tolist() if ends else []
    for (one, _), low, high in zip(there, found[::2], found[1::2], strict=True):
        if low < one.low or high > one.high:
            raise InputError(f"{one.name} holds {low if low < one.low else high}, but {one.says}. {one.remedy}")


def kind(values: Tensor) -> str:
    """The name of a tensor's numbers."""
    return str(values.dtype).removeprefix("torch.")


def _considered(one: Range, values: Tensor) -> Tensor:
    return values if one.besides is None else values.where(values != one.besides, one.low)
