"""A WordPiece vocabulary learnt from text files, read as a stream: plain, ``.gz`` or ``.xz``."""

import gzip
import lzma
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

from headway.errors import ConfigError, DataError
from headway.families import family
from headway.text.tokenizer import Tokenizer
from headway.text.traits import Traits
from headway.text.wordpiece import build_wordpiece, empty_wordpiece

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ALPHABET_LIMIT = 1000  # as in BERT's own training: rarer characters become [UNK]
LINES_AT_ONCE = 1000


def train_wordpiece(
    files: Iterable[str | Path],
    *,
    vocab_size: int,
    lowercase: bool = True,
    min_frequency: int = 2,
    progress: bool = True,
) -> Tokenizer:
    """A tokenizer with at most ``vocab_size`` pieces learnt from the files; fewer where the text has no more to offer.

    ``min_frequency`` is how often two pieces must stand together before they become one. The same files give the same vocabulary.
    """
    from tokenizers import trainers

    paths = _readable(files)
    _check_size(vocab_size)
    learner = empty_wordpiece({}, unknown="[UNK]", lowercase=lowercase)
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=list(SPECIAL_TOKENS),
        limit_alphabet=min(ALPHABET_LIMIT, (vocab_size - len(SPECIAL_TOKENS)) // 2),
        continuing_subword_prefix="##",
        show_progress=False,
    )
    learner.train_from_iterator(_batches(paths, progress=progress), trainer=trainer)
    vocabulary = learner.get_vocab()
    if len(vocabulary) == len(SPECIAL_TOKENS):
        raise DataError(f"There is no text in {', '.join(map(str, paths))}, so there is nothing to learn pieces from. Give files that hold text.")
    return _finished(vocabulary, lowercase=lowercase)


def _finished(vocabulary: dict[str, int], *, lowercase: bool) -> Tokenizer:
    roles = family("bert").tokenizer.special_tokens
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": lowercase, "strip_accents": None, "tokenize_chinese_chars": True}
    backend = build_wordpiece(vocabulary, special_tokens=roles, lowercase=lowercase)
    return Tokenizer(backend, Traits.from_file(settings, roles=roles, max_positions=None))


def _check_size(vocab_size: int) -> None:
    smallest = len(SPECIAL_TOKENS) + 2
    if vocab_size < smallest:
        raise ConfigError(
            f"vocab_size ({vocab_size}) leaves no room for pieces beside the {len(SPECIAL_TOKENS)} special tokens. Use at least {smallest}; 30522 is BERT's."
        )


def _readable(files: Iterable[str | Path]) -> list[Path]:
    if isinstance(files, str | Path):
        files = [files]
    paths = [Path(file) for file in files]
    if not paths:
        raise DataError("No files were given to learn a vocabulary from. Give the paths of one or more text files.")
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path} is not a file, so no text can be read from it. Give paths of text files, plain, .gz or .xz.")
    return paths


def _batches(paths: Sequence[Path], *, progress: bool) -> Iterator[list[str]]:
    """Lines of all files, many at a time; the bar counts bytes on disk."""
    from tqdm import tqdm

    total = sum(path.stat().st_size for path in paths)
    with tqdm(total=total, unit="B", unit_scale=True, desc="Reading text", disable=not progress) as bar:
        for path in paths:
            yield from _lines(path, bar)
        bar.set_description("Learning pieces")


def _lines(path: Path, bar: Any) -> Iterator[list[str]]:
    start = bar.n
    try:
        with path.open("rb") as file, _plain(file, path) as text:
            while lines := text.readlines(LINES_AT_ONCE * 100):
                yield [line.decode("utf-8") for line in lines]
                bar.update(start + file.tell() - bar.n)
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text ({error}). Check that it is whole and, if compressed, named .gz or .xz.") from error


def _plain(file: IO[bytes], path: Path) -> IO[bytes]:
    match path.suffix:
        case ".xz":
            return cast(IO[bytes], lzma.open(file))
        case ".gz":
            return cast(IO[bytes], gzip.open(file))
        case _:
            return file
