"""Byte-level BPE and Unigram vocabularies learnt from text, with the special tokens of a family.

Sennrich et al., 2016, arXiv:1508.07909, on bytes as GPT-2 has them; Kudo, 2018, arXiv:1804.10959. The same files give the same
tokenizer.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from headway.architecture import TokenizerDefaults
from headway.errors import ConfigError, DataError
from headway.text.alphabet import alphabet, count_characters, kept_characters
from headway.text.building import set_template
from headway.text.byte_level import build_byte_level
from headway.text.files import line_batches
from headway.text.tokenizer import Tokenizer
from headway.text.traits import Traits
from headway.text.unigram import MARK
from headway.text.unigram_learning import DIGITS, learn_pieces

ALPHABET_LIMIT = 1000
"""Characters of a Unigram vocabulary at most; rarer ones are unknown."""
ORDERS: Mapping[str, tuple[str, ...]] = {
    "[PAD]": ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"),
    "<s>": ("cls_token", "pad_token", "sep_token", "unk_token", "mask_token"),
}
"""Roles of the special tokens by rising id: BERT's, and RoBERTa's, whose first is ``<s>``."""


def learn_byte_level(
    paths: list[Path], form: TokenizerDefaults, *, vocab_size: int, lowercase: bool, min_frequency: int, progress: bool
) -> Tokenizer:
    """A byte-level BPE tokenizer of at most so many pieces; every text has pieces, whatever its characters."""
    special, characters = _special_tokens(form), sorted(pre_tokenizers.ByteLevel.alphabet())
    if vocab_size < len(special) + len(characters):
        raise ConfigError(
            f"vocab_size ({vocab_size}) is less than {len(special) + len(characters)}: a byte-level vocabulary has "
            f"{len(characters)} pieces for single bytes and {len(special)} special tokens. Raise it; RoBERTa's is 50265."
        )
    learner = Backend(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learner.normalizer = normalizers.Lowercase() if lowercase else None
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=special,
        initial_alphabet=characters,
        show_progress=False,
    )
    learner.train_from_iterator(
        line_batches(paths, progress=progress, doing="Reading text", afterwards="Learning pieces"), trainer
    )
    model = json.loads(learner.to_str())["model"]
    if not model["merges"]:
        raise _no_text(paths)
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in model["merges"]]
    backend = build_byte_level(model["vocab"], merges, add_prefix_space=False)
    backend.normalizer = learner.normalizer
    return _finished(
        backend, replace(form, algorithm="byte-level-bpe"), named=form.algorithm == "byte-level-bpe" and not lowercase
    )


def learn_unigram(paths: list[Path], form: TokenizerDefaults, *, vocab_size: int, lowercase: bool, progress: bool) -> Tokenizer:
    """A Unigram tokenizer of at most so many pieces, in which a space is ``▁``; text is brought to NFKC first."""
    special = _special_tokens(form)
    if vocab_size < 2 * len(special) + 2:
        raise ConfigError(
            f"vocab_size ({vocab_size}) leaves no room for pieces beside the {len(special)} special tokens. Use at least "
            f"{2 * len(special) + 2}; XLNet's is 32000."
        )
    learner = _empty_unigram(lowercase=lowercase)
    limit = min(ALPHABET_LIMIT, (vocab_size - len(special)) // 2)
    counting = line_batches(paths, progress=progress, doing="Counting characters", afterwards="Counting characters")
    known = set(alphabet(count_characters(counting), learner, limit=limit))
    if not known - {MARK}:
        raise _no_text(paths)
    reading = line_batches(paths, progress=progress, doing="Reading text", afterwards="Learning pieces")
    rows = learn_pieces(_word_counts(reading, learner, known), size=vocab_size - len(special))
    scored = [(piece, round(score, DIGITS)) for piece, score in rows]
    unknown = special.index(form.special_tokens["unk_token"])
    backend = _empty_unigram(lowercase=lowercase, rows=[*((token, 0.0) for token in special), *scored], unknown=unknown)
    return _finished(backend, replace(form, algorithm="sentencepiece"), named=False)


def _empty_unigram(*, lowercase: bool, rows: list[tuple[str, float]] | None = None, unknown: int | None = None) -> Backend:
    backend = Backend(models.Unigram(rows, unknown, False) if rows is not None else models.Unigram())
    lower = [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()] if lowercase else []
    spaces = [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    backend.normalizer = normalizers.Sequence([*lower, normalizers.NFKC(), *spaces])
    backend.pre_tokenizer = pre_tokenizers.Metaspace(replacement=MARK, prepend_scheme="always")
    backend.decoder = decoders.Metaspace(replacement=MARK, prepend_scheme="always")
    return backend


def _word_counts(batches: Iterable[list[str]], learner: Backend, known: set[str]) -> Counter[str]:
    """How often each word stands, with the mark of a space before it; rare characters end words."""
    kept, counts = kept_characters(known, other=" "), Counter[str]()
    for lines in batches:
        for line in lines:
            counts.update(MARK + word for word in learner.normalizer.normalize_str(line).translate(kept).split())
    return counts


def _special_tokens(form: TokenizerDefaults) -> list[str]:
    """The family's special tokens by rising id, each once."""
    roles = form.special_tokens
    order = ORDERS.get(roles["cls_token"], ORDERS["[PAD]"])
    return list(dict.fromkeys(roles[role] for role in order))


def _finished(backend: Backend, form: TokenizerDefaults, *, named: bool) -> Tokenizer:
    """The tokenizer with the family's special tokens and frame; ``named`` says that it is one of the family's own class."""
    roles = {token: role for role, token in form.special_tokens.items()}
    backend.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False, lstrip=roles.get(token) in form.lstrip)
            for token in _special_tokens(form)
        ]
    )
    set_template(backend, form, roles=form.special_tokens, settings={})
    settings = {"tokenizer_class": form.class_name if named else "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    return Tokenizer(backend, Traits.from_file(settings, roles=form.special_tokens, max_positions=None, usual=form))


def _no_text(paths: list[Path]) -> DataError:
    return DataError(
        f"There is no text in {', '.join(map(str, paths))}, so there is nothing to learn pieces from. Give files that hold text."
    )
