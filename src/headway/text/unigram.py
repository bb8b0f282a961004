"""A tokenizer from a SentencePiece model: normalise, mark the spaces, and take the most likely pieces.

Kudo, 2018, arXiv:1804.10959; Kudo and Richardson, 2018, arXiv:1808.06226. Of the two ways in which transformers reads such a
file, this is that of its ``…TokenizerFast`` classes, save that what the file says of spaces holds: they put a dummy prefix and
join spaces even where a model was made without.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from headway.architecture import SentencePieceForm
from headway.architecture.tokenizer import Step
from headway.errors import ConfigError, TokenizerError
from headway.text.sentencepiece import BYTE, CONTROL, USER_DEFINED, SentencePieceModel

MARK = "▁"
"""Stands for a space in the pieces."""

PENALTY = -100.0
"""Added to the score of a piece that is only to be used where nothing else fits."""

ABOUT_SPACES = {"strip", "strip-right", "join-spaces", "join-spaces-to-mark"}


def build_sentencepiece(
    model: SentencePieceModel, form: SentencePieceForm, *, lowercase: bool, settings: Mapping[str, Any], path: Path
) -> tuple[Backend, list[AddedToken]]:
    """The tokenizer without a frame, and the file's control and user-defined pieces, to be recognised in any text.

    ``settings`` may hold ``keep_accents``, ``split_by_punct`` and ``byte_fallback``. The last reads what no piece covers as
    bytes, as SentencePiece itself does where a model has pieces for them; by default it is unknown text, as for transformers.
    """
    _refuse_unusual(model, path)
    byte_fallback = bool(settings.get("byte_fallback", False))
    if byte_fallback and BYTE not in model.kinds:
        raise ConfigError(f"byte_fallback=True needs pieces for single bytes, but {path} has none. Leave it out.")
    backend = Backend(_model(model, _rows(model, form, path), byte_fallback=byte_fallback))
    backend.normalizer = _normalizer(model, form, lowercase=lowercase, keep_accents=bool(settings.get("keep_accents", False)))
    prepend = "always" if model.has_dummy_prefix else "never"
    splitter = pre_tokenizers.Metaspace(replacement=MARK, prepend_scheme=prepend, split=model.splits_at_spaces)
    if form.split_by_punct is not None:
        apart = [pre_tokenizers.Punctuation("isolated")] if settings.get("split_by_punct", form.split_by_punct) else []
        splitter = pre_tokenizers.Sequence([*apart, splitter])
    backend.pre_tokenizer = splitter
    joiner = decoders.Metaspace(replacement=MARK, prepend_scheme=prepend)
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), joiner]) if byte_fallback else joiner
    marked = [(piece, kind) for piece, kind in zip(model.pieces, model.kinds, strict=True) if kind in (CONTROL, USER_DEFINED)]
    return backend, [AddedToken(piece, normalized=False, special=kind == CONTROL) for piece, kind in marked]


def _refuse_unusual(model: SentencePieceModel, path: Path) -> None:
    unusual = {
        f"its algorithm is {model.algorithm!r}, where unigram or bpe is known": model.algorithm not in ("unigram", "bpe"),
        "its pieces hold the spaces after words": model.puts_spaces_last,
        f"its pieces hold spaces themselves instead of {MARK!r}": not model.escapes_spaces,
    }
    if reasons := [reason for reason, holds in unusual.items() if holds]:
        raise TokenizerError(
            f"{path} cannot be used, because {' and '.join(reasons)}. Train the SentencePiece model without that, or convert the "
            "tokenizer to tokenizer.json, which is taken as it is."
        )


def _rows(model: SentencePieceModel, form: SentencePieceForm, path: Path) -> list[tuple[str, float]]:
    """Pieces with their scores, by the ids that the family gives them."""
    kept, scores = model.pieces[form.dropped :], model.scores[form.dropped :]
    dropped, added = set(model.pieces[: form.dropped]), {*form.leading, *form.trailing}
    if (
        not dropped <= form.leading.keys()
        or not added.isdisjoint(kept)
        or model.pieces[model.unknown_id] not in added.union(kept)
    ):
        raise TokenizerError(
            f"{path} starts with the pieces {', '.join(map(repr, model.pieces[:5]))}, but for this kind of tokenizer the first "
            f"{form.dropped} would be replaced, and {', '.join(map(repr, [*form.leading, *form.trailing]))} not be in "
            "the file. Name the right tokenizer_class in tokenizer_config.json."
        )
    if form.avoids_digits_with_comma:
        scores = tuple(score + PENALTY * _is_digit_with_comma(piece) for piece, score in zip(kept, scores, strict=True))
    return [*form.leading.items(), *zip(kept, scores, strict=True), *((piece, 0.0) for piece in form.trailing)]


def _is_digit_with_comma(piece: str) -> bool:
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()


def _model(model: SentencePieceModel, rows: list[tuple[str, float]], *, byte_fallback: bool) -> Any:
    unknown = model.pieces[model.unknown_id]
    if model.algorithm == "unigram":
        return models.Unigram(rows, next(index for index, (piece, _) in enumerate(rows) if piece == unknown), byte_fallback)
    ranks = {piece: index for index, piece in enumerate(model.pieces)}
    vocabulary = {piece: index for index, (piece, _) in enumerate(rows)}
    return models.BPE(vocabulary, _merges(rows, ranks), unk_token=unknown, fuse_unk=True, byte_fallback=byte_fallback)


def _merges(rows: list[tuple[str, float]], ranks: Mapping[str, int]) -> list[tuple[str, str]]:
    """All pairs of pieces that make a piece, those with the best scores first, in transformers' order where scores are equal."""
    found = []
    for piece, score in rows:
        halves = [(piece[:at], piece[at:]) for at in range(1, len(piece)) if piece[:at] in ranks and piece[at:] in ranks]
        found += [(score, pair) for pair in sorted(halves, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))]
    found.sort(key=lambda entry: (entry[0], len(entry[1][0]), len(entry[1][1])), reverse=True)
    return [pair for _, pair in found]


def _normalizer(model: SentencePieceModel, form: SentencePieceForm, *, lowercase: bool, keep_accents: bool) -> Any:
    quotes = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    steps: Mapping[Step, list[Any]] = {
        "quotes": quotes,
        "accents": [] if keep_accents else [normalizers.NFKD(), normalizers.StripAccents()],
        "lowercase": [normalizers.Lowercase()] if lowercase else [],
        "character-map": [normalizers.Precompiled(model.character_map)] if model.character_map else [],
        "strip": [normalizers.Strip()],
        "strip-right": [normalizers.Strip(left=False, right=True)],
        "join-spaces": [normalizers.Replace(Regex(" {2,}"), " ")],
        "join-spaces-to-mark": [normalizers.Replace(Regex(" {2,}"), MARK)],
    }
    wanted = [step for step in form.normalization if model.removes_extra_spaces or step not in ABOUT_SPACES]
    parts = [part for step in wanted for part in steps[step]]
    if model.has_dummy_prefix and not model.removes_extra_spaces:
        parts.append(normalizers.Prepend(MARK))  # the splitter would not put one before a text that starts with a space
    return normalizers.Sequence(parts)
