"""A WordPiece vocabulary learnt from text files, read as a stream: plain, ``.gz`` or ``.xz``."""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer as Backend
from tokenizers import trainers

from headway.errors import ConfigError, DataError
from headway.families import family
from headway.text.alphabet import alphabet, continuing, count_characters
from headway.text.files import check_files, line_batches
from headway.text.tokenizer import Tokenizer
from headway.text.traits import Traits
from headway.text.wordpiece import build_wordpiece, empty_wordpiece

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ALPHABET_LIMIT = 1000  # as in BERT's own training: rarer characters become [UNK]


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
    paths = check_files(files)
    _check_limits(vocab_size, min_frequency)
    learner = empty_wordpiece({}, unknown="[UNK]", lowercase=lowercase)
    characters = _characters(
        paths, learner, limit=min(ALPHABET_LIMIT, (vocab_size - len(SPECIAL_TOKENS)) // 2), progress=progress
    )
    numbered = [*SPECIAL_TOKENS, *characters, *("##" + character for character in continuing(characters, learner))]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=numbered,
        initial_alphabet=characters,
        limit_alphabet=len(characters),
        continuing_subword_prefix="##",
        show_progress=False,
    )
    learner.train_from_iterator(
        line_batches(paths, progress=progress, doing="Reading text", afterwards="Learning pieces"), trainer
    )
    return _finished(learner.get_vocab(), lowercase=lowercase)


def _characters(paths: list[Path], learner: Backend, *, limit: int, progress: bool) -> list[str]:
    batches = line_batches(paths, progress=progress, doing="Counting characters", afterwards="Counting characters")
    found = alphabet(count_characters(batches), learner, limit=limit)
    if not found:
        raise DataError(
            f"There is no text in {', '.join(map(str, paths))}, so there is nothing to learn pieces from. "
            "Give files that hold text."
        )
    return found


def _finished(vocabulary: dict[str, int], *, lowercase: bool) -> Tokenizer:
    roles = family("bert").tokenizer.special_tokens
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": lowercase,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "clean_up_tokenization_spaces": True,
    }
    backend = build_wordpiece(vocabulary, special_tokens=roles, lowercase=lowercase)
    return Tokenizer(backend, Traits.from_file(settings, roles=roles, max_positions=None))


def _check_limits(vocab_size: int, min_frequency: int) -> None:
    if min_frequency < 1:
        raise ConfigError(f"min_frequency ({min_frequency}) counts how often pieces stand together. Use at least 1.")
    smallest = len(SPECIAL_TOKENS) + 2
    if vocab_size < smallest:
        raise ConfigError(
            f"vocab_size ({vocab_size}) leaves no room for pieces beside the {len(SPECIAL_TOKENS)} special tokens. "
            f"Use at least {smallest}; 30522 is BERT's."
        )
