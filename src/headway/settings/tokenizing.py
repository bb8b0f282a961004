"""Settings of ``headway tokenizer``."""

from dataclasses import dataclass, field
from typing import Literal

from headway.core.config import Config


@dataclass(frozen=True, kw_only=True)
class TokenizerSettings(Config):
    """How a vocabulary is learnt from text files."""

    files: tuple[str, ...] = field(metadata={"positional": True})
    """Text files in UTF-8 to learn from: plain, .gz or .xz. The word train may stand before them."""

    output: str
    """Folder to write the tokenizer to; other files in it stay."""

    algorithm: Literal["wordpiece", "byte-level-bpe", "unigram"] = "wordpiece"
    """How pieces are learnt: BERT's way, RoBERTa's on bytes, or that of SentencePiece's Unigram models."""

    family: str | None = None
    """The family whose special tokens it has, and in whose form it frames texts: bert, roberta, modernbert … None is bert for
    WordPiece, roberta for byte-level-bpe and deberta-v2 for unigram."""

    vocab_size: int = 30522
    """How many pieces to learn at most, special tokens included."""

    lowercase: bool | None = None
    """Whether upper case and accents are dropped, so that "Café" and "cafe" are one word; on bytes, upper case alone. None: for
    WordPiece."""

    min_frequency: int = 2
    """How often two pieces must stand together before they become one; without meaning for unigram."""
