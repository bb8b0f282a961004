"""What is written of a tokenizer beside ``tokenizer.json``: its settings, and on demand its pieces alone."""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from headway.core.updates import atomic_update
from headway.errors import ConfigError, TokenizerError
from headway.text.added import decoder_form
from headway.text.components import settings_in
from headway.text.traits import Traits

FAITHFUL = {
    "BertTokenizer": "WordPiece",
    "DistilBertTokenizer": "WordPiece",
    "ElectraTokenizer": "WordPiece",
    "MPNetTokenizer": "WordPiece",
    "RobertaTokenizer": "BPE",
}
"""The classes with which every version of transformers keeps the ids of a ``tokenizer.json``, if its model is of this type."""


def saved_settings(backend: Backend, traits: Traits) -> dict[str, Any]:
    """What ``tokenizer_config.json`` has to say so that transformers takes ``tokenizer.json`` as it is.

    transformers 5 builds the tokenizers of most classes anew, with other ids; then the class is left general.
    """
    values = {**traits.to_file(), **settings_in(backend), "added_tokens_decoder": decoder_form(backend)}
    class_name = str(values.get("tokenizer_class")).removesuffix("Fast")
    if FAITHFUL.get(class_name) != type(backend.model).__name__:
        values["tokenizer_class"] = "PreTrainedTokenizerFast"
    return values


def vocabulary_files(backend: Backend, folder: str | Path, *, prefix: str | None) -> tuple[Path, ...]:
    """The files that hold the pieces alone, written as transformers names them.

    Those of a SentencePiece model would not be ones that anything reads, which is a ``TokenizerError``.
    """
    kind = type(backend.model).__name__
    if kind == "Unigram":
        raise TokenizerError(
            "This tokenizer's pieces have scores, which belong in a SentencePiece file, and such a file is not written here. "
            "Use save_pretrained, whose tokenizer.json holds all of the tokenizer; transformers reads it too."
        )
    if prefix is not None and Path(prefix).name != prefix:
        raise ConfigError(f"filename_prefix is {prefix!r}, but it begins a file's name. Give a folder for the rest.")
    with atomic_update(folder) as draft:
        names = [Path(file).name for file in backend.model.save(str(draft), prefix or None)]
    return tuple(Path(folder) / name for name in names)
