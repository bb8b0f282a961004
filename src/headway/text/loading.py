"""From the files of a folder to a ``tokenizers`` object and its traits.

``tokenizer.json`` is taken verbatim: rebuilding it from a class is how ids change silently between library versions. Only the
truncation and padding that some files carry are dropped, because both belong to a call.
"""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from headway.architecture import TokenizerDefaults
from headway.errors import ConfigError, TokenizerError
from headway.families import family
from headway.text.traits import ROLES, Traits, content
from headway.text.wordpiece import build_wordpiece, read_vocabulary

NORMALIZER = {"do_lower_case": "lowercase", "strip_accents": "strip_accents", "tokenize_chinese_chars": "handle_chinese_chars"}


def load(folder: Path, changes: Mapping[str, Any]) -> tuple[Backend, Traits]:
    """The tokenizer in a folder, from ``tokenizer.json`` or else from ``vocab.txt``; ``changes`` win over its settings."""
    model = _read_object(folder / "config.json")
    defaults = _defaults(model)
    settings = _read_object(folder / "special_tokens_map.json") | _read_object(folder / "tokenizer_config.json") | dict(changes)
    roles = dict(defaults.special_tokens) if defaults else {}
    if (folder / "tokenizer.json").is_file():
        backend = _read_backend(folder / "tokenizer.json")
        roles = {role: token for role, token in roles.items() if backend.token_to_id(token) is not None}
        _warn_of_contradiction(backend, settings, folder)
    elif (folder / "vocab.txt").is_file():
        backend, settings, roles = _from_vocabulary(folder / "vocab.txt", settings, defaults or family("bert").tokenizer)
    else:
        raise TokenizerError(
            f"{folder} holds neither tokenizer.json nor vocab.txt, so there is no tokenizer to load. "
            "Give the folder of a saved model, or train one with: headway tokenizer."
        )
    traits = Traits.from_file(settings, roles=roles, max_positions=model.get("max_position_embeddings"))
    add_special_tokens(backend, traits, settings)
    return backend, traits


def without_padding_or_truncation(backend: Backend) -> Backend:
    """The same tokenizer, cutting and filling nothing by itself."""
    backend.no_padding()
    backend.no_truncation()
    return backend


def _read_backend(path: Path) -> Backend:
    try:
        return without_padding_or_truncation(Backend.from_buffer(path.read_bytes()))
    except ValueError as error:
        raise TokenizerError(f"{path} is not a tokenizer file ({error}). Download or save the tokenizer again.") from error


def _read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; an absent file says nothing."""
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TokenizerError(f"{path} is not valid JSON ({error}). Download or save it again.") from error
    if not isinstance(values, dict):
        raise TokenizerError(f"{path} holds a JSON {type(values).__name__} where an object of settings belongs.")
    return values


def _defaults(model: Mapping[str, Any]) -> TokenizerDefaults | None:
    """The family's defaults; None where the model's type is absent or not one that Headway knows."""
    try:
        return family(str(model["model_type"])).tokenizer if "model_type" in model else None
    except ConfigError:
        return None


def _from_vocabulary(
    path: Path, settings: Mapping[str, Any], defaults: TokenizerDefaults
) -> tuple[Backend, dict[str, Any], dict[str, str]]:
    roles = dict(defaults.special_tokens) | {role: content(settings[role]) for role in ROLES if settings.get(role) is not None}
    normal = {
        "do_lower_case": settings.get("do_lower_case", defaults.lowercase),
        "strip_accents": settings.get("strip_accents"),
        "tokenize_chinese_chars": settings.get("tokenize_chinese_chars", True),
    }
    backend = build_wordpiece(
        read_vocabulary(path, needed=roles),
        special_tokens=roles,
        lowercase=normal["do_lower_case"],
        strip_accents=normal["strip_accents"],
        split_chinese=normal["tokenize_chinese_chars"],
    )
    usual = {"tokenizer_class": "BertTokenizer", "clean_up_tokenization_spaces": True}
    return backend, {**usual, **settings, **normal}, roles


def add_special_tokens(backend: Backend, traits: Traits, settings: Mapping[str, Any]) -> None:
    """Let the tokenizer recognise the special tokens that only the settings name, as transformers does."""
    known = {token.content for token in backend.get_added_tokens_decoder().values()}
    for token in (*traits.special_tokens.values(), *traits.additional_special_tokens):
        if token not in known:
            forms = [value for value in settings.values() if isinstance(value, Mapping) and value.get("content") == token]
            sides = {side: bool(forms and forms[0].get(side)) for side in ("lstrip", "rstrip", "single_word", "normalized")}
            backend.add_special_tokens([AddedToken(token, special=True, **sides)])


def normalizer_settings(backend: Backend) -> dict[str, Any]:
    """BERT's normalisation by the names of ``tokenizer_config.json``; nothing where a tokenizer normalises in another way.

    transformers builds the normalisation anew where its own settings, or their defaults, say otherwise than ``tokenizer.json``.
    """
    normalizer = backend.normalizer
    found = json.loads(normalizer.__getstate__()) if normalizer is not None else {}
    return {name: found[theirs] for name, theirs in NORMALIZER.items()} if found.get("type") == "BertNormalizer" else {}


def _warn_of_contradiction(backend: Backend, settings: Mapping[str, Any], folder: Path) -> None:
    for name, value in normalizer_settings(backend).items():
        if settings.get(name, value) != value:
            warnings.warn(
                f"{folder}: tokenizer_config.json says {name} = {settings[name]}, but tokenizer.json does otherwise; "
                "tokenizer.json is used.",
                stacklevel=4,
            )
