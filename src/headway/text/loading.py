"""From the files of a folder to a ``tokenizers`` object and its traits.

``tokenizer.json`` is taken verbatim: rebuilding it from a class is how ids change silently between library versions. Only the
truncation and padding that some files carry are dropped, because both belong to a call. Where there is none, the tokenizer is
built from its vocabulary.
"""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from headway.architecture import Family, ModelConfig, TokenizerDefaults
from headway.errors import ConfigError, TokenizerError
from headway.families import family
from headway.text.added import added_tokens
from headway.text.building import build, check_special_tokens, set_template, settings_read
from headway.text.components import changed, fault_in_parts, refuse_unread, settings_in
from headway.text.forms import GENERIC, form_of, named
from headway.text.traits import Traits, check_kinds

VOCABULARY_FILES = (
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spm.model",
    "sentencepiece.bpe.model",
    "spiece.model",
)
"""The files that a tokenizer can be in, beside ``tokenizer.json`` and ``tokenizer_config.json``."""

PANIC = "PanicException"
"""What the ``tokenizers`` library raises where it has no error for what it meets; nothing exports the class."""


@dataclass(frozen=True, kw_only=True)
class _Sources:
    """What a folder and the caller say of a tokenizer, beside its pieces."""

    folder: Path
    pieces: Path | None
    """The ``tokenizer.json``, the folder's or one that it shares with others; None where there is only a vocabulary."""
    file: Mapping[str, Any]
    changes: Mapping[str, Any]
    added: Mapping[str, Any]
    class_name: str | None
    own: TokenizerDefaults | None
    """The form of the model's family; None where that is not known."""
    max_positions: int | None

    @property
    def settings(self) -> dict[str, Any]:
        return {**self.file, **self.changes}


def load(folder: Path, changes: Mapping[str, Any]) -> tuple[Backend, Traits]:
    """The tokenizer in a folder, from ``tokenizer.json`` or else from its vocabulary; ``changes`` win over its settings."""
    from headway.checkpoints.siblings import tokenizer_json

    model, file = _read_object(folder / "config.json"), _read_settings(folder)
    check_kinds({**file, **changes})
    known, class_name = _family(model), model.get("tokenizer_class")
    sources = _Sources(
        folder=folder,
        pieces=tokenizer_json(folder, model),
        file=file,
        changes=changes,
        added=_read_object(folder / "added_tokens.json"),
        class_name=file.get("tokenizer_class") or (None if class_name is None else str(class_name)),
        own=None if known is None else known.tokenizer,
        max_positions=_max_positions(known, model),
    )
    return _from_vocabulary(sources) if sources.pieces is None else _from_json(sources, sources.pieces)


def without_padding_or_truncation(backend: Backend) -> Backend:
    """The same tokenizer, cutting and filling nothing by itself."""
    backend.no_padding()
    backend.no_truncation()
    return backend


def add_special_tokens(backend: Backend, traits: Traits, settings: Mapping[str, Any]) -> None:
    """Let the tokenizer recognise the special tokens that only the settings name, as transformers does."""
    added_tokens(traits, settings, {}, usual=None).add_unknown(backend)


def _from_json(sources: _Sources, path: Path) -> tuple[Backend, Traits]:
    backend = _read_backend(path)
    _warn_of_contradiction(backend, sources)
    backend = changed(backend, sources.changes)
    form = named(sources.class_name) or sources.own
    if form is not None and sources.class_name in GENERIC:  # the file has all the tokens there are; a family's class may add some
        form = replace(form, additional_special_tokens=())
    roles = form.special_tokens if form is not None else {}
    roles = {role: token for role, token in roles.items() if backend.token_to_id(token) is not None}
    traits = Traits.from_file(sources.settings, roles=roles, max_positions=sources.max_positions, usual=form)
    added_tokens(traits, sources.settings, sources.added, usual=form).add_unknown(backend)
    return backend, traits


def _from_vocabulary(sources: _Sources) -> tuple[Backend, Traits]:
    form, path = form_of(sources.folder, class_name=sources.class_name, own=sources.own)
    usual = {"clean_up_tokenization_spaces": form.algorithm == "wordpiece"}
    settings = {**usual, **sources.settings, "tokenizer_class": form.class_name}
    traits = Traits.from_file(settings, roles=form.special_tokens, max_positions=sources.max_positions, usual=form)
    added = added_tokens(traits, settings, sources.added, usual=form)
    backend, marked = build(path, form, roles=traits.special_tokens, settings=settings)
    check_special_tokens(backend, form, roles=traits.special_tokens, declared=added.names, path=path)
    added.add_all(backend, marked, path=path)
    set_template(backend, form, roles=traits.special_tokens, settings=settings)
    refuse_unread(sources.changes, read=settings_in(backend).keys() | settings_read(form))
    return backend, traits


def _read_backend(path: Path) -> Backend:
    try:
        backend = without_padding_or_truncation(Backend.from_buffer(path.read_bytes()))
        fault = fault_in_parts(backend)
        if fault is None:
            backend.encode_batch(["a", ("a", "a")])  # a template of tokens that are not there would stop the first text
    except BaseException as error:
        if not isinstance(error, ValueError) and type(error) is not Exception and type(error).__name__ != PANIC:
            raise
        raise TokenizerError(f"{path} is not a tokenizer file ({error}). Download or save the tokenizer again.") from error
    if fault is not None:
        raise TokenizerError(f"{path} is damaged: {fault}. Download or save the tokenizer again.")
    return backend


def _read_settings(folder: Path) -> dict[str, Any]:
    """Both files of settings as one; the older one wins where the newer says nothing of added tokens, as in transformers."""
    older, newer = (_read_object(folder / name) for name in ("special_tokens_map.json", "tokenizer_config.json"))
    return older | newer if "added_tokens_decoder" in newer else newer | older


def _read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; an absent file says nothing."""
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(values, ensure_ascii=False).encode("utf-8")  # half a character, as "\\ud800", could not be saved again
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{path} is not valid JSON ({error}). Download or save it again.") from error
    if not isinstance(values, dict):
        raise TokenizerError(f"{path} holds a JSON {type(values).__name__} where an object of settings belongs.")
    return values


def _family(model: Mapping[str, Any]) -> Family | None:
    """The model's family; None where the model's type is absent or not one that Headway knows."""
    try:
        return family(str(model["model_type"])) if "model_type" in model else None
    except ConfigError:
        return None


def _max_positions(known: Family | None, model: Mapping[str, Any]) -> int | None:
    """The length of the longest text that the model reads; None where that is not known."""
    said = model.get("max_position_embeddings")
    try:
        return known.architecture(ModelConfig(model), "base").encoder.max_tokens if known is not None else said
    except ConfigError:  # what it cannot compute is for the model to say
        return said


def _warn_of_contradiction(backend: Backend, sources: _Sources) -> None:
    for name, value in settings_in(backend).items():
        if name not in sources.changes and sources.file.get(name, value) != value:
            warnings.warn(
                f"{sources.folder}: tokenizer_config.json says {name} = {sources.file[name]}, but tokenizer.json does otherwise; "
                "tokenizer.json is used.",
                stacklevel=5,
            )
