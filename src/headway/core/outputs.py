"""What models return: a value by name, by index and by key, as people know it from Hugging Face."""

from collections import OrderedDict
from typing import Any


class ModelOutput(OrderedDict[str, Any]):
    """Named outputs in order; those that are None are left out.

    ``output.logits``, ``output["logits"]`` and ``output[0]`` are the same object when logits come first.
    """

    def __init__(self, **values: Any) -> None:
        super().__init__((name, value) for name, value in values.items() if value is not None)

    def __getitem__(self, key: str | int | slice) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return super().__getitem__(name)
        except KeyError:
            raise AttributeError(f"This output has no {name!r}; it has {', '.join(self)}.") from None

    def to_tuple(self) -> tuple[Any, ...]:
        """The values in order."""
        return tuple(self.values())
