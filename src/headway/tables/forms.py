"""The forms of table that there are: the files of this folder that have a ``FORM``."""

from functools import cache
from pathlib import PurePath

from headway.core import registry
from headway.core.compression import COMPRESSED
from headway.errors import ConfigError, DataError
from headway.tables.form import Form, Writer

PACKED = (*COMPRESSED, ".zst")


@cache
def all_forms() -> tuple[Form, ...]:
    """All forms; those that look into a file before the others."""
    return tuple(sorted(registry.load_all("headway.tables", "FORM"), key=lambda form: form.matches is None))


def form_named(name: str) -> Form:
    """The form of this name."""
    found = {form.name: form for form in all_forms()}
    if name not in found:
        raise ConfigError(f"There is no form of table {name!r}. Known are {', '.join(sorted(found))}.")
    return found[name]


def form_of(name: str, head: bytes = b"") -> Form:
    """The form of a file, from its name and, where that leaves a choice, its first bytes."""
    ending = suffix_of(name)
    for form in all_forms():
        if ending in form.suffixes and (form.matches is None or form.matches(name, head)):
            return form
    raise DataError(
        f"{name} is no kind of table that can be read here. Known are {', '.join(known_suffixes())}, each also with "
        f"{', '.join(PACKED)} behind it."
    )


def suffix_of(name: str) -> str:
    """The ending that says what a file holds, without that of its compression."""
    return next((suffix for suffix in reversed(PurePath(name.lower()).suffixes) if suffix not in PACKED), "")


def known_suffixes() -> list[str]:
    """The endings of files that can be read."""
    return sorted({suffix for form in all_forms() for suffix in form.suffixes})


def writable_suffixes() -> list[str]:
    """The endings of files that can be written."""
    return sorted({suffix for form in all_forms() if form.writer for suffix in form.suffixes} - {".json"})


def writer_of(name: str) -> tuple[Form, Writer]:
    """The form that a file's ending asks for, and what writes it."""
    ending = PurePath(name.lower()).suffix
    for form in all_forms():
        if form.writer is not None and ending in form.suffixes and ending in writable_suffixes():
            return form, form.writer
    raise ConfigError(f"{name} does not say how to write the answers. End its name in {' or '.join(writable_suffixes())}.")
