"""What the parts of a tokenizer do, by the names of ``tokenizer_config.json``, and how a caller changes it.

transformers builds these parts anew where its settings, or their defaults, say otherwise than ``tokenizer.json``. Here
``tokenizer.json`` holds, unless the caller asks for something else.
"""

import base64
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tokenizers import Tokenizer as Backend

from headway.errors import ConfigError
from headway.text.character_map import fault_in

PLACES: Mapping[str, Mapping[tuple[str, str], str]] = {
    "do_lower_case": {("normalizer", "BertNormalizer"): "lowercase"},
    "strip_accents": {("normalizer", "BertNormalizer"): "strip_accents"},
    "tokenize_chinese_chars": {("normalizer", "BertNormalizer"): "handle_chinese_chars"},
    "add_prefix_space": {
        ("post_processor", "RobertaProcessing"): "add_prefix_space",
        ("pre_tokenizer", "ByteLevel"): "add_prefix_space",
    },
    "trim_offsets": {
        ("post_processor", "ByteLevel"): "trim_offsets",
        ("post_processor", "RobertaProcessing"): "trim_offsets",
    },
}
"""Where each setting stands: the part of the tokenizer and the type of component, with the component's own name for it. The
last place that a tokenizer has counts."""

FOR_BUILDING = ("keep_accents", "split_by_punct", "byte_fallback")
"""Settings about the parts that are read where a SentencePiece file becomes a tokenizer, and cannot be changed later."""


def settings_in(backend: Backend) -> dict[str, Any]:
    """What the tokenizer does, of what ``tokenizer_config.json`` may say too; nothing of what it has no part for."""
    states = _states(backend)
    return {
        name: component[key]
        for name, places in PLACES.items()
        for (part, kind), key in places.items()
        for component in _components(states.get(part))
        if component["type"] == kind
    }


def fault_in_parts(backend: Backend) -> str | None:
    """What is wrong with a tokenizer that the library has read, and would only find in the middle of a text."""
    for component in _components(_states(backend).get("normalizer")):
        if component["type"] == "Precompiled" and (fault := fault_in(base64.b64decode(component["precompiled_charsmap"]))):
            return fault
    return None


def changed(backend: Backend, changes: Mapping[str, Any]) -> Backend:
    """The tokenizer with those of these settings that are about its parts; a ``ConfigError`` where it cannot have them."""
    found = settings_in(backend)
    lowercases = any(component["type"] == "Lowercase" for component in _components(_states(backend).get("normalizer")))
    refuse_unread(changes, read=found.keys() | ({"do_lower_case"} if lowercases else set()))
    if lowercases and changes.get("do_lower_case") is False:
        raise ConfigError("do_lower_case=False cannot be had: this tokenizer.json lowercases. Use a checkpoint that keeps case.")
    wanted = {name: changes[name] for name in found if changes.get(name, found[name]) != found[name]}
    if not wanted:
        return backend
    state = json.loads(backend.to_str())
    for name, value in wanted.items():
        for (part, kind), key in PLACES[name].items():
            for component in _components(state[part]):
                component |= {key: value} if component["type"] == kind else {}
    return Backend.from_str(json.dumps(state))


def refuse_unread(changes: Mapping[str, Any], *, read: Collection[str]) -> None:
    """A ``ConfigError`` for settings that would shape another kind of tokenizer and do nothing to this one.

    ``add_prefix_space`` is for tokenizers of bytes: others read a text's first word as one that comes after a space anyway.
    """
    for name in (*PLACES, *FOR_BUILDING):
        if changes.get(name) and name not in read and name != "add_prefix_space":
            raise ConfigError(
                f"{name}={changes[name]!r} changes nothing about this tokenizer, which has no part that could do it. Leave it out"
                f"{', or load from the SentencePiece file, without tokenizer.json' if name in FOR_BUILDING else ''}."
            )


def _states(backend: Backend) -> dict[str, Any]:
    parts = {part: getattr(backend, part) for part in ("normalizer", "pre_tokenizer", "post_processor")}
    return {part: json.loads(found.__getstate__()) for part, found in parts.items() if found is not None}


def _components(state: Mapping[str, Any] | None) -> Iterator[Any]:
    """A part's component, or those in its sequence."""
    if state is not None:
        yield state
        for name in ("normalizers", "pretokenizers", "processors"):
            for inner in state.get(name, ()):
                yield from _components(inner)
