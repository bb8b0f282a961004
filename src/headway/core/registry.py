"""Things that register themselves: one file in a folder is one entry.

A registered module defines one agreed name (``FAMILY``, ``TASK``, ``COMMAND``). Adding an entry means adding a file; there is no
central list to forget. Looking at names imports nothing; only what is asked for is loaded.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any


@cache
def module_names(package: str) -> tuple[str, ...]:
    """The public modules in a package's folder, sorted, without importing any of them."""
    folder = Path(str(importlib.import_module(package).__file__)).parent
    return tuple(sorted(entry.name for entry in pkgutil.iter_modules([str(folder)]) if not entry.name.startswith("_")))


def load(package: str, module: str, name: str) -> Any:
    """The agreed name in one module of the package."""
    return getattr(importlib.import_module(f"{package}.{module}"), name)


def load_all(package: str, name: str) -> Iterator[Any]:
    """The agreed name in every module of the package that defines it."""
    for module in module_names(package):
        found = getattr(importlib.import_module(f"{package}.{module}"), name, None)
        if found is not None:
            yield found
