"""Reading what a client sent: JSON values by name and kind. What is missing or of another kind is an ``InputError`` in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from headway.errors import InputError
from headway.serving.http import HttpRequest
from headway.serving.refusals import RefusedError

Value = TypeVar("Value")
SHOWN = 60


def read_object(request: HttpRequest) -> "Fields":
    """The JSON object in a request's body."""
    return Fields.of(request.json(), "The body")


def holds(*names: str) -> Callable[[HttpRequest], bool]:
    """Whether a request's body is an object with one of these names: of which dialect it is, where several share a path."""

    def accepts(request: HttpRequest) -> bool:
        try:
            value = request.json()
        except RefusedError:
            return False  # whoever answers in its place says why
        return isinstance(value, dict) and any(value.get(name) is not None for name in names)

    return accepts


@dataclass(frozen=True)
class Fields:
    """The values of a JSON object by name. null stands for a value that is not there."""

    values: Mapping[str, Any]
    where: str = "The body"

    @classmethod
    def of(cls, value: Any, where: str) -> "Fields":
        """The object that this value is."""
        if not isinstance(value, dict):
            raise InputError(f"{where} is {shown(value)}, where a JSON object belongs. Send names with values: {{…}}.")
        return cls(value, where)

    def has(self, name: str) -> bool:
        """Whether there is a value of this name."""
        return self.values.get(name) is not None

    def any(self, name: str) -> Any:
        """A value of whatever kind; one that is not there is an error."""
        if not self.has(name):
            names = ", ".join(map(repr, self.values)) or "nothing"
            raise InputError(f"{self.where} has no {name!r}, but it has to; it holds {names}. Add it.")
        return self.values[name]

    def text(self, name: str, default: str | None = None) -> str:
        """A text."""
        return self._of_kind(name, default, is_text, "a text")

    def optional_text(self, name: str) -> str | None:
        """A text, or None."""
        return self.text(name) if self.has(name) else None

    def truth(self, name: str, default: bool) -> bool:
        """True or false."""
        return self._of_kind(name, default, lambda value: isinstance(value, bool), "true or false")

    def optional_truth(self, name: str) -> bool | None:
        """True, false or None."""
        return self.truth(name, False) if self.has(name) else None

    def optional_count(self, name: str) -> int | None:
        """A whole number from 1 on, or None."""
        return self._of_kind(name, 0, is_count, "a whole number from 1 on") if self.has(name) else None

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        value: list[str] = self.any(name)
        return value if is_texts(value) else self.refuse(name, "a list of texts")

    def text_or_texts(self, name: str) -> list[str]:
        """A text, or a list of them, as a list."""
        value = self.any(name)
        found: list[str] = [value] if isinstance(value, str) else value
        return found if is_texts(found) else self.refuse(name, "a text or a list of texts")

    def items(self, name: str) -> list[Any]:
        """A list of whatever."""
        value = self.any(name)
        return value if isinstance(value, list) else self.refuse(name, "a list")

    def object(self, name: str) -> "Fields":
        """An object; an empty one where there is none."""
        return Fields.of(self.values[name] if self.has(name) else {}, name)

    def choice(self, name: str, known: Sequence[str]) -> str:
        """One of these words, the first where there is none."""
        value = self.values[name] if self.has(name) else known[0]
        return value if isinstance(value, str) and value in known else self.refuse(name, f"one of {', '.join(known)}")

    def refuse(self, name: str, wanted: str) -> NoReturn:
        """The error for a value of another kind."""
        raise InputError(
            f"{name} is {shown(self.values[name])}, where {wanted} belongs. Correct it, or leave it out if it may be."
        )

    def _of_kind(self, name: str, default: Value | None, fits: Callable[[Any], bool], wanted: str) -> Value:
        if not self.has(name) and default is not None:
            return default
        value: Value = self.any(name)
        return value if fits(value) else self.refuse(name, wanted)


def is_text(value: Any) -> bool:
    """Whether this is a text."""
    return isinstance(value, str)


def is_texts(value: Any) -> bool:
    """Whether this is a list of texts, perhaps an empty one."""
    return isinstance(value, list) and all(map(is_text, value))


def is_count(value: Any) -> bool:
    """Whether this is a whole number from 1 on, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_ids(value: Any) -> bool:
    """Whether this is a list of token ids, with at least one."""
    return isinstance(value, list) and bool(value) and all(type(one) is int and one >= 0 for one in value)


def shown(value: Any) -> str:
    """A value as an error shows it: its kind, and its beginning where it is short enough; texts are not repeated."""
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    kinds = {dict: "an object", list: "a list", bool: "a truth value", type(None): "null", int: "a number", float: "a number"}
    kind = kinds[type(value)]
    return kind if isinstance(value, dict | list) or value is None else f"{kind} ({value!r:.{SHOWN}})"
