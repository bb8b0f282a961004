"""Reversible tables between the Hub's weight names and ours.

A family lists rules on module names; ``{i}`` stands for the layer's number. Both directions follow from the one table, and
reading what was written gives the same arrays bit for bit.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias, TypeVar

import numpy as np

from headway.core.arrays import new_array

Arrays: TypeAlias = Mapping[str, np.ndarray]
Stored = TypeVar("Stored")


@dataclass(frozen=True)
class Rename:
    """One module, or one parameter, under two names."""

    theirs: str
    ours: str


@dataclass(frozen=True)
class Fuse:
    """Several of their modules, stacked along the output dimension, are one of ours."""

    theirs: tuple[str, ...]
    ours: str


@dataclass(frozen=True)
class Interleave:
    """One of their modules, with the query, key and value rows of each head together, as all queries, all keys, all values."""

    theirs: str
    ours: str
    heads: int

    def grouped(self, array: np.ndarray) -> np.ndarray:
        """Their rows in our order."""
        found = new_array(array.shape, array.dtype)
        found.reshape(3, self.heads, -1, *array.shape[1:])[:] = array.reshape(self.heads, 3, -1, *array.shape[1:]).swapaxes(0, 1)
        return found

    def interleaved(self, array: np.ndarray) -> np.ndarray:
        """Our rows in their order."""
        return array.reshape(3, self.heads, -1, *array.shape[1:]).swapaxes(0, 1).reshape(array.shape)


Rule: TypeAlias = Rename | Fuse | Interleave


@dataclass(frozen=True)
class WeightNames:
    """The table of one model: base and head. ``prefix`` stands before the base model's names wherever a head is beside it.

    ``ignored`` are patterns of names that mean nothing. ``tied`` are names of arrays that repeat another, each with the name of
    that one, as a base model of today has it. ``foreign`` are patterns of names that no checkpoint has that was trained for this
    head. ``legacy`` are endings of older names, with those of today.
    """

    base: tuple[Rule, ...]
    heads: tuple[Rule, ...]
    prefix: str
    ignored: tuple[str, ...] = ()
    tied: tuple[tuple[str, str], ...] = ()
    foreign: tuple[str, ...] = ()
    legacy: tuple[tuple[str, str], ...] = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))

    def to_ours(self, theirs: Mapping[str, Callable[[], np.ndarray]]) -> tuple[dict[str, Callable[[], np.ndarray]], list[str]]:
        """Our names with a function that reads each array, and their names that no rule knows, sorted.

        Nothing is read here: a caller asks only for the arrays that its architecture has.
        """
        found: dict[str, Callable[[], np.ndarray]] = {}
        pieces: dict[str, dict[int, Callable[[], np.ndarray]]] = {}
        unknown = []
        for name, read in theirs.items():
            place = self._find(name)
            if place is None:
                unknown.append(name)
            elif isinstance(place.rule, Fuse):
                pieces.setdefault(place.ours, {})[place.index] = read
            else:
                found[place.ours] = _regrouped(read, place.rule) if isinstance(place.rule, Interleave) else read
        for name, parts in pieces.items():
            if len(parts) == self._pieces_of(name):
                found[name] = _stacked([parts[index] for index in sorted(parts)])
        return found, sorted(name for name in unknown if not self.ignores(name))

    def to_theirs(self, ours: Arrays, *, has_head: bool) -> dict[str, np.ndarray]:
        """The arrays under the Hub's names; base weights carry the prefix where there is a head."""
        written: dict[str, np.ndarray] = {}
        for name, array in ours.items():
            rule, names = self._rule_of(name, has_head=has_head)
            array = rule.interleaved(array) if isinstance(rule, Interleave) else array
            written |= dict(zip(names, np.split(array, len(names)), strict=True))
        return written

    def names_of(self, ours: str, *, has_head: bool) -> list[str]:
        """The Hub's names of one of our weights: several where ours is a fusion."""
        return self._rule_of(ours, has_head=has_head)[1]

    def _rule_of(self, ours: str, *, has_head: bool) -> tuple[Rule, list[str]]:
        for rules, prefix in ((self.base, self.prefix if has_head else ""), (self.heads, "")):
            for rule in rules:
                if (match := _match(rule.ours, ours)) is not None:
                    return rule, [prefix + _fill(their, match) for their in _modules(rule)]
        raise KeyError(ours)

    def canonical(self, theirs: str) -> str:
        """Their name as a base model of today would carry it: without the prefix, without old spellings."""
        for old, new in self.legacy:
            if theirs.endswith(old):
                theirs = theirs.removesuffix(old) + new
        return theirs.removeprefix(self.prefix)

    def untied(self, theirs: Mapping[str, Stored]) -> dict[str, Stored]:
        """The same without repetitions; where only the repetition is there, it goes under the name of what it repeats."""
        tied, present = dict(self.tied), {self.canonical(name) for name in theirs}
        return {tied.get(name, name): found for name, found in theirs.items() if tied.get(name) not in present}

    def ignores(self, theirs: str) -> bool:
        """Whether a weight of this name may be on disk without meaning anything."""
        return any(re.search(pattern, theirs) for pattern in self.ignored)

    def contradicts(self, theirs: str) -> bool:
        """Whether a weight of this name shows that a checkpoint was trained for another head."""
        return any(re.search(pattern, theirs) for pattern in self.foreign)

    def _find(self, name: str) -> "_Place | None":
        wanted = self.canonical(name)
        for rule in (*self.base, *self.heads):
            for index, their in enumerate(_modules(rule)):
                if (match := _match(their, wanted)) is not None:
                    return _Place(_fill(rule.ours, match), index, rule)
        return None

    def _pieces_of(self, ours: str) -> int:
        return len(self.names_of(ours, has_head=False))


@dataclass(frozen=True)
class _Place:
    """Where one of their arrays goes: our name, and which part of it by which rule."""

    ours: str
    index: int
    rule: Rule


def _modules(rule: Rule) -> tuple[str, ...]:
    return rule.theirs if isinstance(rule, Fuse) else (rule.theirs,)


def _match(pattern: str, name: str) -> tuple[str, str] | None:
    """The layer number and the parameter's suffix if the name is an instance of the pattern."""
    match = _expression(pattern).fullmatch(name)
    return None if match is None else (match.groupdict().get("i") or "", match["suffix"] or "")


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\{i\}", r"(?P<i>\d+)") + r"(?P<suffix>\.(?:weight|bias))?")


def _fill(pattern: str, match: tuple[str, str]) -> str:
    return pattern.replace("{i}", match[0]) + match[1]


def _stacked(reads: list[Callable[[], np.ndarray]]) -> Callable[[], np.ndarray]:
    return lambda: _concatenated([read() for read in reads])


def _concatenated(parts: list[np.ndarray]) -> np.ndarray:
    shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
    return np.concatenate(parts, out=new_array(shape, np.result_type(*parts)))


def _regrouped(read: Callable[[], np.ndarray], rule: Interleave) -> Callable[[], np.ndarray]:
    return lambda: rule.grouped(read())
