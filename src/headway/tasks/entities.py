"""Labels of words as entities: what ``B-PER`` says in each scheme, which labels may follow each other, and where entities stand.

Schemes are those of Ramshaw and Marcus, 1995, arXiv:cmp-lg/9505040 (IOB1), Tjong Kim Sang and Veenstra, 1999,
arXiv:cs/9907006 (BIO, there IOB2), and Ratinov and Roth, 2009, W09-1119 (BIOES, there BILOU).

Shapes: L labels, U units (tokens or words).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

Scheme: TypeAlias = Literal["BIO", "IOB1", "BIOES", "IO"]

OUTSIDE = "O"
LETTERS = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S", "M": "I"}  # BILOU and BMES are BIOES in other letters
OPEN, INNER = frozenset("BI"), frozenset("IE")


class Tag(NamedTuple):
    """A label taken apart: ``B-PER`` is B and PER; one without a prefix, such as ``O``, has an empty one."""

    prefix: str
    kind: str


class Span(NamedTuple):
    """An entity among words; ``end`` is the first word after it."""

    kind: str
    start: int
    end: int


NO_ENTITY = Tag("", OUTSIDE)


def detected(labels: Iterable[str]) -> Scheme:
    """The scheme that labels are of, as far as their names tell.

    Labels with B and I may be BIO or IOB1: they are taken to be BIO. Labels without prefixes are IO.
    """
    named = [label for label in labels if label != OUTSIDE]
    letters = {label[0] for label in named if label[1:2] == "-"}
    if "B" not in letters:
        return "IOB1" if "I" in letters else "IO"
    is_longer = letters & {"E", "S", "L", "U"} and all(label[1:2] == "-" and label[0] in LETTERS for label in named)
    return "BIOES" if is_longer else "BIO"


def is_iob1(rows: Iterable[Sequence[str]]) -> bool:
    """Whether rows of labels with B and I are written in IOB1: I may begin an entity, and B only ends one of its own kind."""
    begins = False
    for row in rows:
        before = NO_ENTITY
        for label in row:
            now = tag(label, "BIO")
            goes_on = before.kind == now.kind and before.prefix in OPEN
            if now.prefix == "B" and not goes_on:
                return False
            begins |= now.prefix == "I" and not goes_on
            before = now
    return begins


def begun(labels: Sequence[str]) -> list[str]:
    """Labels in IOB1 as BIO has them: each entity's first word with a B."""
    found, before = [], NO_ENTITY
    for label in labels:
        now = tag(label, "BIO")
        begins = now.prefix == "I" and not (before.kind == now.kind and before.prefix in OPEN)
        found.append(f"B{label[1:]}" if begins else label)
        before = now
    return found


def tag(label: str, scheme: Scheme) -> Tag:
    """A label taken apart. Only the prefixes of the scheme are prefixes: ``E-MAIL`` may be a whole name."""
    prefix, dash, kind = label.partition("-")
    letter = LETTERS.get(prefix, "")
    known = {"BIO": "BI", "IOB1": "BI", "BIOES": "BIES", "IO": ""}[scheme]
    return Tag(letter, kind or "_") if letter and letter in known and (dash or len(label) == 1) else Tag("", label)


def continues(before: Tag, now: Tag) -> bool:
    """Whether a word belongs to the entity of the word before it, even where the scheme is not kept.

    The rule of conlleval, the script of the CoNLL-2000 task, and of transformers. Labels without prefixes go on while they stay
    the same.
    """
    return before.kind == now.kind and before.prefix not in ("E", "S") and now.prefix not in ("B", "S")


@dataclass(frozen=True)
class Rules:
    """Which labels a scheme lets a text begin with, follow each other and end a text."""

    first: np.ndarray
    """(labels,)"""
    following: np.ndarray
    """From the label in the row to the one in the column, (labels, labels)."""
    last: np.ndarray
    """(labels,)"""

    @property
    def free(self) -> np.ndarray:
        """The labels that a text of any length could consist of, (labels,)."""
        return np.asarray(self.first & self.last & np.diag(self.following))

    def keep(self, labels_U: np.ndarray) -> bool:
        """Whether these labels, by their places, keep the rules."""
        if not len(labels_U):
            return True
        inside = self.following[labels_U[:-1], labels_U[1:]].all()
        return bool(self.first[labels_U[0]] and self.last[labels_U[-1]] and inside)


@dataclass(frozen=True)
class LabelSet:
    """A model's labels, in the order of its outputs, read by a scheme."""

    names: tuple[str, ...]
    scheme: Scheme

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """The labels taken apart."""
        return tuple(tag(name, self.scheme) for name in self.names)

    @cached_property
    def goes_on(self) -> np.ndarray:
        """Whether the label in the column goes on with the entity of the one in the row, (labels, labels)."""
        return np.array([[continues(before, now) for now in self.tags] for before in self.tags])

    @cached_property
    def rules(self) -> Rules:
        """What the scheme allows."""
        next_LL = np.array([[_may_follow(before, now, self.scheme) for now in self.tags] for before in self.tags])
        first_L = np.array([_may_follow(NO_ENTITY, now, self.scheme) for now in self.tags])
        return Rules(first_L, next_LL, np.array([_may_follow(before, NO_ENTITY, self.scheme) for before in self.tags]))


def _may_follow(before: Tag, now: Tag, scheme: Scheme) -> bool:
    goes_on = before.kind == now.kind and before.prefix in OPEN
    match scheme:
        case "BIO":
            return now.prefix != "I" or goes_on
        case "IOB1":
            return now.prefix != "B" or goes_on
        case "BIOES":
            return (now.prefix in INNER and goes_on) or (now.prefix not in INNER and before.prefix not in OPEN)
        case "IO":
            return True


def best_labels(scores_UL: np.ndarray, rules: Rules | None) -> np.ndarray:
    """The label of each unit (a token or a word) by its place, (units,): the likeliest; or those that together are likeliest.

    With rules, labels that they forbid do not follow each other. The path with the largest sum of log scores is found as in
    Viterbi, 1967, doi:10.1109/TIT.1967.1054010, with forbidden transitions instead of learnt ones: Lester et al., 2020,
    arXiv:2010.04362. Scores are those after softmax. At least one label has to be free.
    """
    labels_U = scores_UL.argmax(-1)
    if rules is None or rules.keep(labels_U):
        return np.asarray(labels_U)
    logs_UL = np.log(np.maximum(scores_UL, np.finfo(np.float32).tiny), dtype=np.float64)
    barrier_LL = np.where(rules.following, 0.0, -np.inf)
    best_L, came_from_UL = logs_UL[0] + np.where(rules.first, 0.0, -np.inf), np.zeros(logs_UL.shape, dtype=np.int64)
    for unit in range(1, len(logs_UL)):
        ways_LL = best_L[:, None] + barrier_LL
        came_from_UL[unit] = ways_LL.argmax(0)
        best_L = ways_LL.max(0) + logs_UL[unit]
    labels_U[-1] = (best_L + np.where(rules.last, 0.0, -np.inf)).argmax()
    for unit in range(len(logs_UL) - 1, 0, -1):
        labels_U[unit - 1] = came_from_UL[unit, labels_U[unit]]
    return np.asarray(labels_U)


def lenient_spans(tags: Sequence[Tag]) -> list[Span]:
    """The entities in words with these labels, whether the scheme is kept or not, as ``continues`` says."""
    places = range(len(tags))
    starts = [at for at in places if tags[at] != NO_ENTITY and (at == 0 or not continues(tags[at - 1], tags[at]))]
    spans = []
    for start in starts:
        end = start + 1
        while end < len(tags) and continues(tags[end - 1], tags[end]):
            end += 1
        spans.append(Span(tags[start].kind, start, end))
    return spans


def strict_spans(tags: Sequence[Tag], scheme: Scheme) -> list[Span]:
    """The entities that stand in the words exactly as the scheme writes them, as seqeval's strict mode finds them.

    What breaks the scheme is no entity: ``O I-PER`` in BIO, ``B-PER O`` in BIOES.
    """
    if scheme == "IO":
        return lenient_spans(tags)
    spans, place, before = [], 0, NO_ENTITY
    while place < len(tags):
        end = place + 1
        if _begins(before, tags[place], scheme):
            while end < len(tags) and tags[end - 1].prefix in OPEN and _is_inner(tags[end - 1], tags[end], scheme):
                end += 1
            if _is_whole(tags[end - 1], tags[end] if end < len(tags) else NO_ENTITY, scheme):
                spans.append(Span(tags[place].kind, place, end))
        place, before = end, tags[end - 1]
    return spans


def _begins(before: Tag, now: Tag, scheme: Scheme) -> bool:
    if scheme != "IOB1":
        return now.prefix == "B" or (now.prefix == "S" and scheme == "BIOES")
    if now.prefix == "B":
        return before.prefix in OPEN and before.kind == now.kind
    return now.prefix == "I" and (before.prefix != "I" or before.kind != now.kind)


def _is_inner(before: Tag, now: Tag, scheme: Scheme) -> bool:
    return before.kind == now.kind and now.prefix in (INNER if scheme == "BIOES" else "I")


def _is_whole(last: Tag, following: Tag, scheme: Scheme) -> bool:
    if scheme == "BIOES":
        return last.prefix in ("E", "S")
    return scheme != "IOB1" or last.prefix != "B" or following.prefix != "B" or last.kind == following.kind
