"""Classes such as ``BertTokenizer``: the names under which people look for a family's tokenizer."""

from pathlib import Path
from typing import Any

from headway.errors import TokenizerError
from headway.families._classes import KnownClass
from headway.text.tokenizer import Tokenizer


class TokenizerClass(type):
    """What ``BertTokenizer``, ``BertTokenizerFast`` and their like are: names for ``Tokenizer``.

    A folder's files decide what its tokenizer does, never the name of a class, so that each of these loads every tokenizer, and
    every tokenizer is an instance of each.
    """

    def __call__(cls, *arguments: Any, **keywords: Any) -> Tokenizer:
        raise TokenizerError(
            f"{cls.__name__} makes tokenizers from a model's folder: {cls.__name__}.from_pretrained(folder). A vocabulary file "
            "alone goes into a folder, under the name that it has on the Hub (vocab.txt). For objects of the tokenizers library "
            "there is AutoTokenizer.from_tokenizers(…)."
        )

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Tokenizer)

    def from_pretrained(cls, name_or_path: str | Path, **settings: Any) -> Tokenizer:
        """As ``AutoTokenizer.from_pretrained``."""
        return Tokenizer.from_pretrained(name_or_path, **settings)


def tokenizer_class(known: KnownClass) -> TokenizerClass:
    """The class under the name that people know."""
    doc = f"Tokenizers, as tutorials about {known.family.model_type} models call them: {known.name}.from_pretrained(…)."
    return TokenizerClass(known.name, (), {"__module__": "headway", "__doc__": doc})
