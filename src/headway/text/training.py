"""A WordPiece vocabulary learnt from text files, read as a stream: plain, ``.gz`` or ``.xz``."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from tokenizers import Tokenizer as Backend
from tokenizers import trainers

from headway.errors import ConfigError, DataError
from headway.families import family as find_family
from headway.text.alphabet import alphabet, continuing, count_characters
from headway.text.files import check_files, line_batches
from headway.text.learning import learn_byte_level, learn_unigram
from headway.text.tokenizer import Tokenizer
from headway.text.traits import Traits
from headway.text.wordpiece import build_wordpiece, empty_wordpiece

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ALPHABET_LIMIT = 1000  # as in BERT's own training: rarer characters become [UNK]


Algorithm: TypeAlias = Literal["wordpiece", "byte-level-bpe", "unigram"]
USUAL: Mapping[Algorithm, str] = {"wordpiece": "bert", "byte-level-bpe": "roberta", "unigram": "deberta-v2"}
"""Whose special tokens a tokenizer has where no family is named."""


def train_tokenizer(
    files: Iterable[str | Path],
    *,
    algorithm: Algorithm = "wordpiece",
    vocab_size: int,
    family: str | None = None,
    lowercase: bool | None = None,
    min_frequency: int = 2,
    progress: bool = True,
) -> Tokenizer:
    """A tokenizer with at most ``vocab_size`` pieces learnt from the files; fewer where the text has no more to offer.

    Special tokens and the frame of texts are those of the ``family``; None is BERT's, RoBERTa's or DeBERTa's, whose algorithm it
    is. ``lowercase`` of None is true for WordPiece alone. ``min_frequency`` is how often two pieces must stand together before
    they become one; Unigram knows no such thing. The same files give the same tokenizer.
    """
    if algorithm not in USUAL:
        raise ConfigError(f"There is no algorithm {algorithm!r} to learn a vocabulary by. Use {', '.join(USUAL)}.")
    form = find_family(family or USUAL[algorithm]).tokenizer
    if algorithm == "wordpiece":
        if form.special_tokens["cls_token"] != "[CLS]":
            raise ConfigError(
                f"{family} models read special tokens such as {form.special_tokens['cls_token']}, which a WordPiece vocabulary "
                "made here does not have. Use another algorithm, or leave the family out."
            )
        lower = lowercase is not False
        return train_wordpiece(files, vocab_size=vocab_size, lowercase=lower, min_frequency=min_frequency, progress=progress)
    paths = check_files(files)
    _check_frequency(min_frequency)
    if algorithm == "unigram":
        return learn_unigram(paths, form, vocab_size=vocab_size, lowercase=bool(lowercase), progress=progress)
    return learn_byte_level(
        paths, form, vocab_size=vocab_size, lowercase=bool(lowercase), min_frequency=min_frequency, progress=progress
    )


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
    roles = find_family("bert").tokenizer.special_tokens
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": lowercase,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "clean_up_tokenization_spaces": True,
    }
    backend = build_wordpiece(vocabulary, special_tokens=roles, lowercase=lowercase)
    return Tokenizer(backend, Traits.from_file(settings, roles=roles, max_positions=None))


def _check_frequency(min_frequency: int) -> None:
    if min_frequency < 1:
        raise ConfigError(f"min_frequency ({min_frequency}) counts how often pieces stand together. Use at least 1.")


def _check_limits(vocab_size: int, min_frequency: int) -> None:
    _check_frequency(min_frequency)
    smallest = len(SPECIAL_TOKENS) + 2
    if vocab_size < smallest:
        raise ConfigError(
            f"vocab_size ({vocab_size}) leaves no room for pieces beside the {len(SPECIAL_TOKENS)} special tokens. "
            f"Use at least {smallest}; 30522 is BERT's."
        )
