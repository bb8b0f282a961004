"""Settings of ``headway tokenizer``."""

from dataclasses import dataclass, field

from headway.core.config import Config


@dataclass(frozen=True, kw_only=True)
class TokenizerSettings(Config):
    """How a WordPiece vocabulary is learnt from text files."""

    files: tuple[str, ...] = field(metadata={"positional": True})
    """Text files in UTF-8 to learn from: plain, .gz or .xz."""

    output: str
    """Folder to write the tokenizer to; other files in it stay."""

    vocab_size: int = 30522
    """How many pieces to learn at most, special tokens included."""

    lowercase: bool = True
    """Whether upper case and accents are dropped, so that "Café" and "cafe" are one word."""

    min_frequency: int = 2
    """How often two pieces must stand together before they become one."""
