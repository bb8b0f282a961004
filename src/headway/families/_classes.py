"""The class names of tutorials, ``BertForSequenceClassification`` and its like, from what the families say of themselves."""

import difflib
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
    names = {name: head for head, name in reversed(family.class_names.items())}  # the first head of a name is the one meant
    models = [KnownClass(name=name, kind="model", family=family, head=head) for name, head in names.items()]
    slow = family.tokenizer.class_name
    tokenizers = [slow, f"{slow}Fast"] if slow.startswith(family.class_prefix) else []
    config = KnownClass(name=f"{family.class_prefix}Config", kind="config", family=family)
    return [config, *models, *(KnownClass(name=name, kind="tokenizer", family=family) for name in tokenizers)]


def absent(name: str) -> str | None:
    """Why a class that transformers has is not here, and what to do instead; None where nothing is known of the name."""
    if name.endswith("PreTrainedModel"):
        return (
            "Models here are not made by inheriting. Write an nn.Module of your own and give it "
            "AutoModel.from_pretrained(…) as a part."
        )
    if name.endswith(("LMHeadModel", "ForCausalLM", "ForSeq2SeqLM", "ForConditionalGeneration")):
        return "Headway has encoders, which read a text whole and write none; ForMaskedLM fills gaps."
    if name.startswith(("TF", "Flax")):
        return f"Headway trains with torch alone. Without the prefix it is {name.removeprefix('TF').removeprefix('Flax')}."
    return _unknown_family(name)


def _unknown_family(name: str) -> str | None:
    """What is said of a class of a family that is not here, and is not one of those mistyped."""
    families = {known.family.class_prefix for known in known_classes().values()}
    kinds = {known.name.removeprefix(known.family.class_prefix) for known in known_classes().values()}
    kind = max((kind for kind in kinds if name.endswith(kind)), key=len, default="")
    prefix = name.removesuffix(kind)
    if not kind or prefix in ("", "Auto") or difflib.get_close_matches(prefix, families):
        return None
    return f"Headway does not know the family {prefix}. It has {', '.join(sorted(families))}."
