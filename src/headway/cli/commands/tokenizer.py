"""``headway tokenizer``: learn a vocabulary from text files."""

from pathlib import Path

from headway.cli.command import Command
from headway.errors import ConfigError
from headway.settings.tokenizing import TokenizerSettings


def run(settings: TokenizerSettings) -> None:
    """Train a WordPiece tokenizer, save it, and say what was written where."""
    from headway.text import train_wordpiece

    if Path(settings.output).is_file():
        raise ConfigError(f"--output {settings.output} is a file, but a tokenizer is saved as a folder. Name another place.")
    tokenizer = train_wordpiece(
        settings.files, vocab_size=settings.vocab_size, lowercase=settings.lowercase, min_frequency=settings.min_frequency
    )
    tokenizer.save_pretrained(settings.output)
    asked = settings.vocab_size
    fewer = "" if len(tokenizer) == asked else f" (the text gave no more than that; {asked:,} were asked for)"
    print(f"Wrote a WordPiece tokenizer of {len(tokenizer):,} pieces{fewer} to {settings.output}")


COMMAND = Command(summary="learn a vocabulary from text files", settings=TokenizerSettings, run=run)
