"""Whether a tokenizer is the one that a model was trained with, and if not, what is different.

A model's ``config.json`` notes its tokenizer part by part. A model that reads other ids than it was trained on fails at nothing
and is wrong about everything, so another tokenizer is an error. Models from elsewhere have no note: of them only the range of
ids is checked.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from headway.architecture import ModelConfig
from headway.errors import ConfigError, TokenizerError
from headway.families import family
from headway.text.state import State
from headway.text.tokenizer import Tokenizer

NOTE = "headway_tokenizer"
"""The note's name in ``config.json``."""

PARTS = {
    "normalizer": "how text is normalised (normalizer)",
    "pre_tokenizer": "how text is split into words (pre_tokenizer)",
    "post_processor": "which special tokens frame a text (template)",
}
SHOWN = 5


def with_note(config: ModelConfig, tokenizer: Tokenizer) -> ModelConfig:
    """The configuration of a model that is trained with this tokenizer, saying so."""
    return config.replace(**{NOTE: {**describe(tokenizer), "model_vocab_size": _rows(config)}})


def describe(tokenizer: Tokenizer) -> dict[str, Any]:
    """All that decides which ids a text becomes, part by part, ready for JSON; ``exact`` decides alone where it is equal."""
    state = tokenizer.state
    text = state.backend.to_str()
    parts = json.loads(text)
    return {
        "fingerprint": state.fingerprint,
        "exact": _digest(text),
        "vocabulary": _digest(_canonical(_with_plain_merges(parts["model"]))),
        "vocabulary_size": tokenizer.vocab_size,
        **{name: _digest(_canonical(parts[name])) for name in PARTS},
        "added_tokens": {token["content"]: [token["id"], *sorted(_flags(token))] for token in parts["added_tokens"]},
        "special_tokens": _roles(state),
    }


def check_tokenizer(tokenizer: Tokenizer, config: ModelConfig, *, model: object = None, may_add: bool = False) -> None:
    """Raise ``TokenizerError`` where this is not the model's tokenizer, naming what differs.

    ``model`` is the model's place, for the message. ``may_add`` allows tokens beyond those noted, which are yet to be learnt; so
    does a model whose vectors have been resized since.
    """
    place = f"The model in {model}" if model else "This model"
    rows = _rows(config)
    if len(tokenizer) > rows:
        raise TokenizerError(
            f"{place} has vectors for {rows:,} tokens, but {_name(tokenizer)} gives ids up to {len(tokenizer) - 1:,}, so they "
            "do not belong together. Load the tokenizer that the model was trained with; after add_tokens call "
            "model.resize_token_embeddings(len(tokenizer))."
        )
    note = _note(config)
    if note is None or _is_exactly(note, tokenizer.state):
        return
    may_add = may_add or note.get("model_vocab_size") != rows
    if differences := list(_differences(note, describe(tokenizer), may_add=may_add)):
        raise TokenizerError(
            f"{place} was trained with another tokenizer than {_name(tokenizer)}. They differ in {'; '.join(differences)}. "
            f"Its answers would mean nothing. Load the tokenizer that was saved with the model; to train it anew with this one, "
            f"take the note away first: model.config = model.config.replace({NOTE}=None)."
        )


def _differences(note: Mapping[str, Any], found: Mapping[str, Any], *, may_add: bool) -> Iterator[str]:
    if note.get("vocabulary") != found["vocabulary"]:
        here, there = found["vocabulary_size"], note.get("vocabulary_size", 0)
        yield f"the vocabulary ({here:,} pieces, {'but others' if here == there else f'the model has {there:,}'})"
    yield from (said for name, said in PARTS.items() if note.get(name) != found[name])
    if added := list(_different_tokens(note.get("added_tokens", {}), found["added_tokens"], may_add=may_add)):
        yield "added tokens: " + ", ".join(added[:SHOWN]) + (f" and {len(added) - SHOWN} more" if len(added) > SHOWN else "")
    for role, token in note.get("special_tokens", {}).items():
        if (other := found["special_tokens"].get(role)) != token:
            yield f"{role} ({other!r}, the model's is {token!r})"


def _different_tokens(noted: Mapping[str, Any], found: Mapping[str, Any], *, may_add: bool) -> Iterator[str]:
    for token in noted:
        if token not in found:
            yield f"{token!r} is missing"
        elif found[token] != noted[token]:
            yield f"{token!r} is {found[token]}, not {noted[token]}"
    if not may_add:
        yield from (f"{token!r} is new" for token in found if token not in noted)


def _note(config: ModelConfig) -> Mapping[str, Any] | None:
    note = config.get(NOTE)
    if note is not None and not isinstance(note, Mapping):
        raise ConfigError(f"{NOTE} is {note!r} in config.json, where an object notes the model's tokenizer. Remove it.")
    return note


def _is_exactly(note: Mapping[str, Any], state: State) -> bool:
    return note.get("exact") == _digest(state.backend.to_str()) and note.get("special_tokens") == _roles(state)


def _rows(config: ModelConfig) -> int:
    """How many tokens the model has vectors for."""
    return family(config.model_type).architecture(config, "base").encoder.embeddings.vocab_size


def _roles(state: State) -> dict[str, str]:
    return dict(state.traits.special_tokens)


def _name(tokenizer: Tokenizer) -> str:
    return f"the one from {tokenizer.name_or_path}" if tokenizer.name_or_path else "this one"


def _flags(token: Mapping[str, Any]) -> list[str]:
    return [name for name, value in token.items() if value is True]


def _with_plain_merges(model: Mapping[str, Any]) -> dict[str, Any]:
    """The model with its merges as older versions of the library write them."""
    merges = model.get("merges") or []
    return {**model, "merges": [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]}


def _canonical(value: Any) -> str:
    return json.dumps(_without_defaults(value), sort_keys=True, ensure_ascii=False)


def _without_defaults(value: Any) -> Any:
    """Without settings that are off or empty: later versions of the library write more of them."""
    if isinstance(value, Mapping):
        kept = {name: _without_defaults(entry) for name, entry in value.items()}
        return {name: entry for name, entry in kept.items() if not (entry is None or entry is False or entry in ("", [], {}))}
    return [_without_defaults(entry) for entry in value] if isinstance(value, list) else value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
