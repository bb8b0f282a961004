"""What models return: a value by name, by index and by key, as people know it from Hugging Face."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any


class ModelOutput(OrderedDict[str, Any]):
    """Named outputs in order; those that are None are no entries, but may be asked for by name.

    ``output.logits``, ``output["logits"]`` and ``output[0]`` are the same object when logits come first. Made from names, or from
    a mapping or pairs as ``dict`` is, so that libraries that take outputs apart can put them together again.
    """

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **named: Any) -> None:
        given = {**dict(values), **named}
        super().__init__((name, value) for name, value in given.items() if value is not None)
        vars(self)["_none"] = {name for name, value in given.items() if value is None}

    def __getitem__(self, key: str | int | slice) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self:
            return super().__getitem__(name)
        if name in self._none:
            return None
        raise AttributeError(f"This output has no {name!r}; it has {', '.join(self)}.")

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def to_tuple(self) -> tuple[Any, ...]:
        """The values in order."""
        return tuple(self.values())
