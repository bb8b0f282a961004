"""The same kind of tokenizer with a vocabulary learnt from other texts, as ``train_new_from_iterator`` makes it.

What normalises, splits, frames and joins stays. Special tokens have the first ids, in their old order, and pieces follow.
WordPiece and Unigram are learnt as in ``training``: characters are numbered beforehand, and sums have one order, so that the same
texts give the same tokenizer; the library's trainers alone give another one at every run.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, Any, TypeAlias

from tokenizers import AddedToken, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from headway.errors import ConfigError, DataError, InputError, TokenizerError
from headway.text.adding import checked_token, token_text, with_roles
from headway.text.alphabet import alphabet, continuing, count_characters, kept_characters, words_of
from headway.text.inputs import shown, without_surrogates
from headway.text.state import State
from headway.text.traits import Traits
from headway.text.unigram_learning import DIGITS, learn_pieces

AT_ONCE = 1000
TRAINERS = {"BPE": trainers.BpeTrainer, "WordLevel": trainers.WordLevelTrainer, "WordPiece": trainers.WordPieceTrainer}
LEARNING = "Learning pieces"
STALE = ("added_tokens_decoder", "extra_special_tokens")
"""Settings that hold old ids, or what ``additional_special_tokens`` says from now on."""

Read: TypeAlias = Callable[[str], Iterator[list[str]]]
"""Reads the texts from the beginning, in lists, saying what for."""
Parts: TypeAlias = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the new vocabulary is to be."""

    vocab_size: int
    length: int | None = None
    new_special_tokens: Sequence[str | AddedToken] = ()
    special_tokens_map: Mapping[str, str] = field(default_factory=dict)
    min_frequency: int = 0
    limit_alphabet: int | None = None
    show_progress: bool = True


def relearned(state: State, texts: Iterable[Any], wanted: Wanted) -> tuple[Backend, Traits]:
    """The tokenizer with a vocabulary of at most ``vocab_size`` pieces learnt from texts, or from lists of texts."""
    parts = json.loads(state.backend.to_str())
    kind, renamed = parts["model"]["type"], wanted.special_tokens_map
    kept = [_renamed(token, renamed) for token in parts["added_tokens"] if token["special"] or kind == "Unigram"]
    special = list({token.content: token for token in (*kept, *_new(wanted))}.values())
    with _readable(texts, wanted) as read:
        learner = _emptied(parts, special, renamed)
        learn = _learn_unigram if kind == "Unigram" else _learn_wordpiece if kind == "WordPiece" else _learn
        learner = learn(learner, read, special, wanted)
    learner.add_special_tokens(special)
    if parts["post_processor"] is not None:
        learnt = json.loads(learner.to_str())
        learnt["post_processor"] = _reframed(parts["post_processor"], renamed, learner)
        learner = Backend.from_str(json.dumps(learnt))
    return learner, _traits(state.traits, wanted)


def _new(wanted: Wanted) -> list[AddedToken]:
    tokens = [checked_token(token) for token in wanted.new_special_tokens]
    return [AddedToken(token, special=True, normalized=False) if isinstance(token, str) else token for token in tokens]


def _renamed(token: Mapping[str, Any], renamed: Mapping[str, str]) -> AddedToken:
    flags = {name: token[name] for name in ("single_word", "lstrip", "rstrip", "normalized")}
    return AddedToken(renamed.get(token["content"], token["content"]), special=True, **flags)


def _traits(traits: Traits, wanted: Wanted) -> Traits:
    roles = {role: wanted.special_tokens_map.get(token, token) for role, token in traits.special_tokens.items()}
    others = [wanted.special_tokens_map.get(token, token) for token in traits.additional_special_tokens]
    others += [token_text(token) for token in wanted.new_special_tokens]
    file = {name: value for name, value in traits.file.items() if name not in STALE}
    return with_roles(traits, roles, tuple(dict.fromkeys(others)), file=file)


def _emptied(parts: Parts, special: Sequence[AddedToken], renamed: Mapping[str, str]) -> Backend:
    """The tokenizer without its pieces, its special tokens and the frame that holds their ids."""
    model = dict(parts["model"])
    if model["type"] == "Unigram":
        unknown = None if model["unk_id"] is None else model["vocab"][model["unk_id"]][0]
        model |= {"vocab": [[renamed.get(unknown, unknown), 0.0]], "unk_id": 0} if unknown is not None else {"vocab": []}
    else:
        model |= {"vocab": {}} | ({"merges": []} if "merges" in model else {})
        if model.get("unk_token") is not None:
            model["unk_token"] = renamed.get(model["unk_token"], model["unk_token"])
    return Backend.from_str(json.dumps({**parts, "model": model, "added_tokens": [], "post_processor": None}))


@contextmanager
def _readable(texts: Iterable[Any], wanted: Wanted) -> Iterator[Read]:
    """What reads the texts, as often as needed: an iterator's are kept in a file meanwhile."""
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise InputError(
            f"text_iterator is {shown(texts)}, where texts, or lists of texts, are to be read. Give a list or an iterator."
        )
    if iter(texts) is not texts:
        yield lambda doing: _batches(texts, wanted, doing)
        return
    with TemporaryFile("w+", encoding="utf-8") as file:
        for batch in _batches(texts, wanted, "Reading text"):
            file.write(json.dumps(batch) + "\n")
        yield lambda doing: _lines(file)


def _batches(texts: Iterable[Any], wanted: Wanted, doing: str) -> Iterator[list[str]]:
    """Texts, or lists of them, in lists; a bar shows how far they are read."""
    from tqdm import tqdm

    batch: list[str] = []
    with tqdm(total=wanted.length, unit=" texts", desc=doing, disable=not wanted.show_progress) as bar:
        for index, entry in enumerate(texts):
            batch += _strings(entry, index)
            if len(batch) >= AT_ONCE:
                yield batch
                bar.update(len(batch))
                batch = []
        yield batch
        bar.update(len(batch))


def _lines(file: IO[str]) -> Iterator[list[str]]:
    """Lists of texts from a file, a list a line."""
    file.seek(0)
    yield from map(json.loads, file)


def _strings(entry: Any, index: int) -> list[str]:
    found = [entry] if isinstance(entry, str) else entry
    if not isinstance(found, list | tuple) or not all(isinstance(text, str) for text in found):
        raise InputError(
            f"text_iterator gives {shown(entry)} at place {index}, where a text or a list of texts belongs. Leave it out."
        )
    return [without_surrogates(text) for text in found]


def _learn(learner: Backend, read: Read, special: Sequence[AddedToken], wanted: Wanted) -> Backend:
    """Whole words, or BPE; with its bytes where it is of bytes."""
    is_words = type(learner.model).__name__ == "WordLevel"
    characters = sorted(pre_tokenizers.ByteLevel.alphabet()) if _is_byte_level(learner) else []
    _check_room(wanted, len(special) + max(1, len(characters)), special=len(special))
    options: dict[str, Any] = {} if is_words else {"initial_alphabet": characters}
    if not is_words:
        model = learner.model
        options |= {"limit_alphabet": wanted.limit_alphabet} if wanted.limit_alphabet is not None else {}
        parts = {name: getattr(model, name) for name in ("continuing_subword_prefix", "end_of_word_suffix")}
        options |= {name: value for name, value in parts.items() if value is not None}
    return _trained(learner, read, list(special), wanted, **options)


def _learn_wordpiece(learner: Backend, read: Read, special: Sequence[AddedToken], wanted: Wanted) -> Backend:
    """WordPiece, whose characters are numbered as special tokens while it learns."""
    _check_room(wanted, len(special) + 2, special=len(special))
    limit, prefix = (wanted.vocab_size - len(special)) // 2, learner.model.continuing_subword_prefix
    characters = alphabet(
        count_characters(read("Counting characters")), learner, limit=min(limit, wanted.limit_alphabet or limit)
    )
    if not characters:
        raise _no_text()
    numbered = [*special, *characters, *(prefix + character for character in continuing(characters, learner))]
    options = {"initial_alphabet": characters, "limit_alphabet": len(characters), "continuing_subword_prefix": prefix}
    found = json.loads(_trained(learner, read, numbered, wanted, **options).to_str())
    return Backend.from_str(json.dumps({**found, "added_tokens": []}))


def _trained(learner: Backend, read: Read, special: Sequence[Any], wanted: Wanted, **options: Any) -> Backend:
    trainer = TRAINERS[type(learner.model).__name__](
        vocab_size=wanted.vocab_size,
        min_frequency=wanted.min_frequency,
        special_tokens=list(special),
        show_progress=False,
        **options,
    )
    learner.train_from_iterator(read(LEARNING), trainer)
    if learner.get_vocab_size() <= len(special) + len(options.get("initial_alphabet", ())) and not _has_text(read):
        raise _no_text()
    return learner


def _learn_unigram(learner: Backend, read: Read, special: Sequence[AddedToken], wanted: Wanted) -> Backend:
    """Unigram pieces; characters beyond half of the room, the rarest, are unknown."""
    parts = json.loads(learner.to_str())
    names = [token.content for token in special]
    names = [*(piece for piece, _ in parts["model"]["vocab"] if piece not in names), *names]
    _check_room(wanted, 2 * len(names) + 2, special=len(names))
    counts, size = Counter[str](), wanted.vocab_size - len(names)
    for texts in read(LEARNING):
        for text in texts:
            counts.update(words_of(text, learner))
    characters = Counter[str]()
    for word, count in counts.items():
        characters.update(dict.fromkeys(word, count))
    limit = min(size // 2, wanted.limit_alphabet or size)
    known = kept_characters(sorted(characters, key=lambda one: (-characters[one], one))[:limit], other="\0")
    words = Counter[str]()
    for word, count in counts.items():
        words.update({part: count for part in word.translate(known).split("\0") if part})
    if not words:
        raise _no_text()
    rows = [[piece, round(score, DIGITS)] for piece, score in learn_pieces(words, size=size)]
    unknown = names.index(parts["model"]["vocab"][0][0]) if parts["model"]["vocab"] else None
    parts["model"] |= {"vocab": [*([name, 0.0] for name in names), *rows], "unk_id": unknown}
    return Backend.from_str(json.dumps(parts))


def _reframed(part: Mapping[str, Any], renamed: Mapping[str, str], learner: Backend) -> Parts:
    """What frames texts, with the new ids of its special tokens."""

    def numbered(token: str) -> tuple[str, int]:
        name = renamed.get(token, token)
        found = learner.token_to_id(name)
        if found is None:
            raise TokenizerError(
                f"Texts are framed with {name!r}, but it is not a special token, so the new vocabulary would not have it. "
                f"Give new_special_tokens=[{name!r}]."
            )
        return name, found

    found = dict(part)
    for name in ("cls", "sep"):
        found |= {name: list(numbered(part[name][0]))} if name in part else {}
    if "special_tokens" in part:
        tokens = {name: [numbered(token) for token in entry["tokens"]] for name, entry in part["special_tokens"].items()}
        found["special_tokens"] = {
            name: {"id": name, "ids": [index for _, index in pairs], "tokens": [token for token, _ in pairs]}
            for name, pairs in tokens.items()
        }
    if "processors" in part:
        found["processors"] = [_reframed(one, renamed, learner) for one in part["processors"]]
    return found


def _is_byte_level(learner: Backend) -> bool:
    return '"type":"ByteLevel"' in ("" if learner.pre_tokenizer is None else learner.pre_tokenizer.__getstate__().decode())


def _has_text(read: Read) -> bool:
    return any(text.strip() for texts in read(LEARNING) for text in texts)


def _check_room(wanted: Wanted, least: int, *, special: int) -> None:
    if isinstance(wanted.vocab_size, bool) or not isinstance(wanted.vocab_size, int) or wanted.vocab_size < least:
        raise ConfigError(
            f"vocab_size is {wanted.vocab_size!r}, which leaves no room for pieces beside the {special} special tokens. "
            f"Give a number of at least {least}."
        )


def _no_text() -> DataError:
    return DataError(
        "There is no text in text_iterator, so there is nothing to learn pieces from. Give texts, or lists of texts."
    )
