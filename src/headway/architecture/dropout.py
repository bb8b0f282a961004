"""The same architecture with another dropout everywhere: pre-training wants none, fine-tuning wants the configuration's."""

import dataclasses
from typing import Any, TypeVar

Part = TypeVar("Part")


def with_dropout(part: Part, rate: float) -> Part:
    """An architecture, or any part of one, in which every dropout has this rate."""
    if isinstance(part, tuple):
        return tuple(with_dropout(entry, rate) for entry in part)  # type: ignore[return-value]
    if not dataclasses.is_dataclass(part) or isinstance(part, type):
        return part
    changes: dict[str, Any] = {
        field.name: rate if field.name.endswith("dropout") else with_dropout(getattr(part, field.name), rate)
        for field in dataclasses.fields(part)
    }
    return dataclasses.replace(part, **changes)
