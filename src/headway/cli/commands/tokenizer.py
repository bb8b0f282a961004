"""``headway tokenizer``: learn a vocabulary from text files."""

from pathlib import Path

from headway.cli.command import Command
from headway.errors import ConfigError
from headway.settings.tokenizing import TokenizerSettings

NAMES = {"wordpiece": "WordPiece", "byte-level-bpe": "byte-level BPE", "unigram": "Unigram"}


def run(settings: TokenizerSettings) -> None:
    """Train a tokenizer, save it, and say what was written where."""
    from headway.text import train_tokenizer

    if Path(settings.output).is_file():
        raise ConfigError(f"--output {settings.output} is a file, but a tokenizer is saved as a folder. Name another place.")
    tokenizer = train_tokenizer(
        _files(settings.files),
        algorithm=settings.algorithm,
        vocab_size=settings.vocab_size,
        family=settings.family,
        lowercase=settings.lowercase,
        min_frequency=settings.min_frequency,
    )
    tokenizer.save_pretrained(settings.output)
    asked = settings.vocab_size
    fewer = "" if len(tokenizer) == asked else f" (the text gave no more than that; {asked:,} were asked for)"
    print(f"Wrote a {NAMES[settings.algorithm]} tokenizer of {len(tokenizer):,} pieces{fewer} to {settings.output}")


def _files(given: tuple[str, ...]) -> tuple[str, ...]:
    """The files without the word ``train`` before them, unless there is a file of that name."""
    return given[1:] if given[0] == "train" and len(given) > 1 and not Path("train").is_file() else given


COMMAND = Command(summary="learn a vocabulary from text files", settings=TokenizerSettings, run=run)
