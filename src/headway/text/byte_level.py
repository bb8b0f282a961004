"""GPT-2's tokenizer from a vocabulary and a list of merges: words as bytes, the earliest pair merged first.

Sennrich et al., 2016, arXiv:1508.07909; on bytes: Radford et al., 2019, "Language Models are Unsupervised Multitask Learners",
section 2.2.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers

from headway.errors import TokenizerError
from headway.text.inputs import SURROGATE

HEADER = "#version"
LARGEST_ID = 2**31 - 1

Merge = tuple[str, str]


def build_byte_level(vocabulary: Mapping[str, int], merges: Sequence[Merge], *, add_prefix_space: bool) -> Backend:
    """The tokenizer without special tokens. ``add_prefix_space`` reads a text's first word as one that comes after a space."""
    model = models.BPE(
        dict(vocabulary), list(merges), dropout=None, continuing_subword_prefix="", end_of_word_suffix="", fuse_unk=False
    )
    backend = Backend(model)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    backend.decoder = decoders.ByteLevel()
    return backend


def read_byte_level(vocabulary_file: Path) -> tuple[dict[str, int], list[Merge]]:
    """The pieces by id in ``vocab.json``, and the merges in ``merges.txt`` beside it."""
    merges_file = vocabulary_file.with_name("merges.txt")
    if not merges_file.is_file():
        raise TokenizerError(
            f"{vocabulary_file} lies there without merges.txt, which says how bytes become its pieces. "
            "Put both files of the tokenizer into the folder."
        )
    vocabulary = _read_vocabulary(vocabulary_file)
    return vocabulary, _read_merges(merges_file, vocabulary)


def _read_vocabulary(path: Path) -> dict[str, int]:
    try:
        pairs = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{path} is not valid JSON ({error}). Download or save it again.") from error
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) and _is_row(*pair) for pair in pairs):
        raise TokenizerError(f"{path} is not an object with a whole number for each piece. Download or save it again.")
    for what, values in (("piece", [piece for piece, _ in pairs]), ("id", [index for _, index in pairs])):
        twice = [value for value, count in Counter(values).items() if count > 1]
        if twice:
            raise TokenizerError(
                f"{path} has the {what} {twice[0]!r} more than once, so pieces and ids would not belong together. "
                "Download or save it again."
            )
    return dict(pairs)


def _is_row(piece: str, index: Any) -> bool:
    """Whether an entry is text, not half a character as JSON may have it, with a number that an id can be."""
    return type(index) is int and 0 <= index <= LARGEST_ID and not SURROGATE.search(piece)


def _read_merges(path: Path, vocabulary: Mapping[str, int]) -> list[Merge]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{path} is not UTF-8 text ({error}), so it holds no merges. Download or save it again.") from error
    merges: dict[Merge, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line or (number == 1 and line.startswith(HEADER)):
            continue
        first, _, second = line.partition(" ")
        if any(piece not in vocabulary for piece in (first, second, first + second)):
            raise TokenizerError(
                f"Line {number} of {path} is {line!r}, but a merge is two pieces with a space between them, and both and what "
                "they become are in vocab.json. Take both files from the same tokenizer."
            )
        if (first, second) in merges:
            raise TokenizerError(
                f"Line {number} of {path} repeats line {merges[first, second]} ({line!r}), so it is not clear which merge comes "
                "first. Download or save it again."
            )
        merges[first, second] = number
    return list(merges)
