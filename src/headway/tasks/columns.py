"""Which columns of a table hold what a task reads: by role. Common names are known; any other can be named."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headway.errors import DataError

PAIRS = (
    ("text", "text_pair"),
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "passage"),
    ("query", "passage"),
    ("text1", "text2"),
    ("sentence_A", "sentence_B"),
)
SINGLES = ("text", "sentence", "content", "review", "question", "title", "tweet", "comment", "document", "query")
LABELS = ("label", "labels", "class", "category", "target", "sentiment", "intent", "coarse_label", "gold_label")


def text_or_pair(cells: Mapping[str, Any]) -> Any:
    """A text as it stands; with a second one as the pair ``{"text": …, "text_pair": …}``."""
    return dict(cells) if "text_pair" in cells else cells["text"]


@dataclass(frozen=True, kw_only=True)
class TableForm:
    """How the rows of a table hold what a task reads."""

    roles: Mapping[str, tuple[str, ...]]
    """The usual names of the columns for each role, the likeliest first."""
    optional: frozenset[str] = frozenset()
    """Roles that a table may lack."""
    together: tuple[tuple[str, ...], ...] = ()
    """Usual names of all roles' columns, in the order of ``roles``, that win where all of them are there and none was named."""
    item: Callable[[Mapping[str, Any]], Any] = dict
    """An input from the cells by role, as the task reads it."""

    def find(self, names: Iterable[str], named: Mapping[str, str] | None = None, *, taken: Iterable[str] = ()) -> dict[str, str]:
        """The column of each role. Those that the caller named win; ``taken`` ones are found for no role, and none for two.

        A role that is missing, or a name that is no role or no column, is a ``DataError``. A first role named alone stands alone:
        optional ones are then not looked for.
        """
        names, named = list(names), dict(named or {})
        self._check(names, named)
        free = [name for name in names if name not in taken and name not in named.values()]
        if not named:
            for usual in self.together:
                if all(name in free for name in usual):
                    return dict(zip(self.roles, usual, strict=True))
        first = next(iter(self.roles))
        found = dict[str, str | None]()
        for role, usual in self.roles.items():
            found[role] = named.get(role) or _first([name for name in usual if name not in found.values()], free)
        missing = [role for role, column in found.items() if column is None and role not in self.optional]
        if missing:
            self._check_company([] if named or self.optional else free)
            raise DataError(
                f"There is no {missing[0]} column: none of {_list(self._usual(missing[0]))} is among the columns {_list(names)}. "
                f"Name the one that holds the {missing[0]}: --column {missing[0]}=COLUMN, or rename it.{_other_separator(names)}"
            )
        kept = {role: column for role, column in found.items() if column is not None}
        return kept if first not in named else {role: kept[role] for role in kept if role not in self.optional or role in named}

    def _check_company(self, names: Sequence[str]) -> None:
        """Refuse a table that has one of the columns that go together without the other, with both by name."""
        for usual in self.together:
            there, lacking = [name for name in usual if name in names], [name for name in usual if name not in names]
            if there:
                raise DataError(
                    f"There is a column {there[0]!r} but no {lacking[0]!r}, and this task reads both. Name the columns that "
                    f"hold them: --column {' '.join(f'{role}=COLUMN' for role in self.roles)}, or rename them."
                )

    def _usual(self, role: str) -> Iterable[str]:
        place = list(self.roles).index(role)
        return dict.fromkeys([*self.roles[role], *(usual[place] for usual in self.together)])

    def _check(self, names: Sequence[str], named: Mapping[str, str]) -> None:
        for role, column in named.items():
            if role not in self.roles:
                raise DataError(f"{role!r} is nothing that this task reads; it reads {_list(self.roles)}. Name one of these.")
            require_column(column, names)


TEXTS = TableForm(roles={"text": SINGLES, "text_pair": ()}, optional=frozenset({"text_pair"}), together=PAIRS, item=text_or_pair)
"""A text, or a pair of texts."""

SINGLE_TEXTS = TableForm(roles={"text": SINGLES}, item=text_or_pair)
"""A text for which there is no second one."""


def label_table(usual: tuple[str, ...] = LABELS) -> TableForm:
    """A column of labels."""
    return TableForm(roles={"label": usual})


def _other_separator(names: Sequence[str]) -> str:
    """What to do about a table whose only column is a whole header."""
    mark = next((mark for mark in (";", "\t", "|") if len(names) == 1 and mark in names[0]), None)
    return f" The table seems to have {mark!r} between its cells: save it with commas, or with tabs as .tsv." if mark else ""


def _first(usual: Sequence[str], free: Sequence[str]) -> str | None:
    return next((name for name in usual if name in free), None)


def require_column(name: str, names: Iterable[str]) -> None:
    """Refuse a column that is not there."""
    if name not in names:
        raise DataError(f"There is no column {name!r}; the columns are {_list(names)}. Name one of these.")


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(str, names)) or "(none)"
