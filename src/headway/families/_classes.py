"""The class names of tutorials, ``BertForSequenceClassification`` and its like, from what the families say of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from headway.architecture import Family, HeadName
from headway.core import registry


@dataclass(frozen=True, kw_only=True)
class KnownClass:
    """What a class name stands for: the models of one family with one head, its configurations, or its tokenizers."""

    name: str
    kind: Literal["model", "config", "tokenizer"]
    family: Family
    head: HeadName = "base"


@cache
def known_classes() -> Mapping[str, KnownClass]:
    """Every such class of every family by name. Loads all the families' files, which are light."""
    found: dict[str, KnownClass] = {}
    for family in registry.load_all("headway.families", "FAMILY"):
        found |= {known.name: known for known in _classes_of(family)}
    return found


def _classes_of(family: Family) -> list[KnownClass]:
    models = [
        KnownClass(name=name, kind="model", family=family, head=head) for head, name in reversed(family.class_names.items())
    ]
    prefix = family.class_prefix
    tokenizers = [KnownClass(name=prefix + end, kind="tokenizer", family=family) for end in ("Tokenizer", "TokenizerFast")]
    return [KnownClass(name=f"{prefix}Config", kind="config", family=family), *models, *tokenizers]
