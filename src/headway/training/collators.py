"""Data collators under their known names: rows of tokens to padded arrays, as transformers makes them.

Trainer needs none. Where one is given, the padding that it makes is dropped again before anything is computed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from headway.errors import ConfigError, DataError
from headway.neural.losses import IGNORED
from headway.text import Tokenizer

Arrays: TypeAlias = Literal["pt", "np"]
Batch: TypeAlias = dict[str, Any]
MOST_PREDICTIONS = 512
"""Tokens of a text that whole-word masking hides at most."""


def default_data_collator(features: Sequence[Any], return_tensors: str = "pt") -> Batch:
    """The columns of the rows as arrays; ``label`` and ``label_ids`` become ``labels``. Texts and None are left out."""
    rows = [row if isinstance(row, Mapping) else vars(row) for row in features]
    found: Batch = {}
    for name in ("label", "label_ids"):
        if "labels" not in found and rows[0].get(name) is not None:
            found["labels"] = _labels([_plain(row[name]) for row in rows])
    for name, value in rows[0].items():
        if name not in ("label", "label_ids") and value is not None and not isinstance(value, str):
            found[name] = torch.as_tensor(np.array([_plain(row[name]) for row in rows]))
            if found[name].dtype == torch.float64:
                found[name] = found[name].float()
    return _as(found, return_tensors)


@dataclass(frozen=True)
class DefaultDataCollator:
    """``default_data_collator`` with the kind of arrays chosen beforehand."""

    return_tensors: str = "pt"

    def __call__(self, features: Sequence[Any], return_tensors: str | None = None) -> Batch:
        return default_data_collator(features, return_tensors or self.return_tensors)


@dataclass(frozen=True)
class DataCollatorWithPadding:
    """Rows of one text each, filled up to the longest; ``label`` or ``label_ids`` become ``labels``."""

    tokenizer: Tokenizer
    padding: bool | str = True
    max_length: int | None = None
    pad_to_multiple_of: int | None = None
    return_tensors: str = "pt"

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> Batch:
        found = _padded(self, features)
        for name in ("label", "label_ids"):
            if name in found:
                found["labels"] = found.pop(name)
        return _as(found, self.return_tensors)


@dataclass(frozen=True)
class DataCollatorForTokenClassification:
    """Rows of one text each with a label for each token, which are filled up too."""

    tokenizer: Tokenizer
    padding: bool | str = True
    max_length: int | None = None
    pad_to_multiple_of: int | None = None
    label_pad_token_id: int = IGNORED
    return_tensors: str = "pt"

    def __call__(self, features: Sequence[Mapping[str, Any]], return_tensors: str | None = None) -> Batch:
        name = "label" if "label" in features[0] else "labels"
        found = _padded(self, [_without(row, name) for row in features])
        if name in features[0]:
            width, at_left = found["input_ids"].shape[1], self.tokenizer.padding_side == "left"
            labels = [_plain(row[name]) for row in features]
            fill = [[self.label_pad_token_id] * (width - len(one)) for one in labels]
            found[name] = torch.tensor([more + one if at_left else one + more for one, more in zip(labels, fill, strict=True)])
        return _as(found, return_tensors or self.return_tensors)


@dataclass(frozen=True)
class DataCollatorForMultipleChoice:
    """Rows of as many choices each, (questions, choices, tokens), and which is right. The rows stay as they are."""

    tokenizer: Tokenizer
    padding: bool | str = True
    max_length: int | None = None
    pad_to_multiple_of: int | None = None
    return_tensors: str = "pt"

    def __call__(self, features: Sequence[Mapping[str, Any]], return_tensors: str | None = None) -> Batch:
        name = "label" if "label" in features[0] else "labels"
        counts = {len(row["input_ids"]) for row in features}
        if len(counts) > 1:
            raise DataError(
                f"The rows have {', '.join(map(str, sorted(counts)))} choices, which make no padded array. Leave data_collator "
                "out: Trainer packs questions with any number of choices."
            )
        rows = [_without(row, name) for row in features]
        flat = [{key: row[key][place] for key in row} for row in rows for place in range(*counts)]
        found = {key: values.view(len(rows), *counts, -1) for key, values in _padded(self, flat).items()}
        found["labels"] = torch.tensor([_plain(row[name]) for row in features])
        return _as(found, return_tensors or self.return_tensors)


@dataclass
class DataCollatorForLanguageModeling:
    """Rows of one text each with some tokens hidden, drawn anew each time, and these as ``labels`` (Devlin et al., 2019).

    Without ``mlm`` labels are the tokens themselves. With ``whole_word_mask`` words are hidden whole; rows then need
    ``offset_mapping``. Draws are torch's own, which checkpoints keep, or with a ``seed`` those of a generator that they do not.
    """

    tokenizer: Tokenizer
    mlm: bool = True
    whole_word_mask: bool = False
    mlm_probability: float | None = 0.15
    mask_replace_prob: float = 0.8
    random_replace_prob: float = 0.1
    pad_to_multiple_of: int | None = None
    return_tensors: str = "pt"
    seed: int | None = None
    generator: torch.Generator | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        _check_masking(self)
        if self.whole_word_mask:
            self.mask_replace_prob, self.random_replace_prob = 1.0, 0.0
        if self.seed:
            self.generator = torch.Generator().manual_seed(self.seed)

    def __call__(self, features: Sequence[Any], return_tensors: str | None = None) -> Batch:
        rows = [row if isinstance(row, Mapping) else {"input_ids": row} for row in features]
        adds_mask = isinstance(features[0], Mapping)
        offsets = [_plain(row["offset_mapping"]) for row in rows if "offset_mapping" in row]
        found = _padded(self, [_without(row, "offset_mapping") for row in rows])
        special = found.pop("special_tokens_mask", None)
        ids = found["input_ids"]
        special = _special(ids, self.tokenizer) if special is None else special.bool()
        if not self.mlm:
            pad = self.tokenizer.pad_token_id
            found["labels"] = ids.clone() if pad is None else ids.masked_fill(ids == pad, IGNORED)
        else:
            starts, hide = (~special, lambda chosen: chosen)
            if self.whole_word_mask:
                starts, hide = whole_words(_offsets(offsets, ids, self.tokenizer), special)
            chosen = torch.bernoulli(starts * torch.tensor(self.mlm_probability), generator=self.generator).bool()
            found["input_ids"], found["labels"] = hidden(ids, hide(chosen), self)
        return _as(found if adds_mask else _without(found, "attention_mask"), return_tensors or self.return_tensors)


@dataclass
class DataCollatorForWholeWordMask:
    """Rows of one text each with whole words hidden, which are told by the ``##`` that pieces of BERT's begin with."""

    tokenizer: Tokenizer
    mlm: bool = True
    mlm_probability: float | None = 0.15
    mask_replace_prob: float = 0.8
    random_replace_prob: float = 0.1
    pad_to_multiple_of: int | None = None
    return_tensors: str = "pt"
    seed: int | None = None
    generator: torch.Generator | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        _check_masking(self)
        if self.seed:
            self.generator = torch.Generator().manual_seed(self.seed)

    def __call__(self, features: Sequence[Any], return_tensors: str | None = None) -> Batch:
        rows = [row if isinstance(row, Mapping) else {"input_ids": row} for row in features]
        chosen = [{"input_ids": self._chosen(row)} for row in rows]
        ids = _padded(self, [{"input_ids": row["input_ids"]} for row in rows])["input_ids"]
        width, at_left = ids.shape[1], self.tokenizer.padding_side == "left"
        fill = [[0] * (width - len(one["input_ids"])) for one in chosen]
        marks = [more + one["input_ids"] if at_left else one["input_ids"] + more for one, more in zip(chosen, fill, strict=True)]
        found = hidden(ids, torch.tensor(marks).bool() & ~_special(ids, self.tokenizer), self)
        return _as(dict(zip(("input_ids", "labels"), found, strict=True)), return_tensors or self.return_tensors)

    def _chosen(self, row: Mapping[str, Any]) -> list[int]:
        """1 for each token to hide: whole words in random order, up to the share of tokens that is wanted."""
        pieces: list[str] = self.tokenizer.convert_ids_to_tokens(_plain(row["input_ids"]))
        inner = set(_plain(row.get("chinese_ref", ())))
        words: list[list[int]] = []
        for place, piece in enumerate(pieces):
            if piece in ("[CLS]", "[SEP]"):
                continue
            if words and (piece.startswith("##") or place in inner):
                words[-1].append(place)
            else:
                words.append([place])
        wanted = min(MOST_PREDICTIONS, max(1, round(len(pieces) * (self.mlm_probability or 0.0))))
        hidden: list[int] = []
        for index in torch.randperm(len(words), generator=self.generator).tolist():
            if len(hidden) + len(words[index]) <= wanted:
                hidden += words[index]
        return [int(place in set(hidden)) for place in range(len(pieces))]


Masker: TypeAlias = DataCollatorForLanguageModeling | DataCollatorForWholeWordMask


def hidden(ids: Tensor, chosen: Tensor, how: Masker) -> tuple[Tensor, Tensor]:
    """The ids with the chosen ones replaced by the mask, by any other or by themselves, and the labels; the ids change."""
    labels = ids.masked_fill(~chosen, IGNORED)

    def drawn(share: float) -> Tensor:
        return torch.bernoulli(torch.full(ids.shape, share), generator=how.generator).bool() & chosen

    replaced = drawn(how.mask_replace_prob)
    ids[replaced] = how.tokenizer.mask_token_id
    if how.mask_replace_prob < 1 and how.random_replace_prob > 0:
        other = drawn(how.random_replace_prob / (1 - how.mask_replace_prob)) & ~replaced
        ids[other] = torch.randint(len(how.tokenizer), ids.shape, generator=how.generator)[other]
    return ids, labels


def whole_words(offsets: Tensor, special: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Which tokens begin a word, (texts, tokens), and a function from those chosen to all tokens of their words."""
    ends = offsets[..., 1].roll(1, dims=1)
    ends[:, 0] = -1
    behind_special = special.roll(1, dims=1)
    behind_special[:, 0] = False
    begins = ~special & ((offsets[..., 0] != ends) | behind_special)
    numbers = begins.cumsum(1).masked_fill(special, -1)

    def whole(chosen: Tensor) -> Tensor:
        same = (numbers[:, :, None] == numbers[:, None, :]) & (numbers != -1)[:, :, None]
        return (same & chosen[:, None, :]).any(2)

    return begins, whole


def _check_masking(how: Masker) -> None:
    if how.mlm and how.tokenizer.mask_token is None:
        raise ConfigError(
            "Masked language modelling needs a mask token, and this tokenizer has none. Use a tokenizer that has one, or add it: "
            "tokenizer.add_special_tokens({'mask_token': '[MASK]'})."
        )
    for name in ("mlm_probability", "mask_replace_prob", "random_replace_prob"):
        share = getattr(how, name)
        if how.mlm and (share is None or not 0 <= share <= 1):
            raise ConfigError(f"{name} is {share}, but it is a share of tokens. Use a number from 0 to 1.")
    if how.mask_replace_prob + how.random_replace_prob > 1:
        raise ConfigError(
            f"mask_replace_prob ({how.mask_replace_prob}) and random_replace_prob ({how.random_replace_prob}) are shares of the "
            "hidden tokens and exceed 1 together. Lower one of them."
        )
    if not how.mlm and (isinstance(how, DataCollatorForWholeWordMask) or how.whole_word_mask):
        raise ConfigError("Whole words can only be hidden where tokens are. Use mlm=True.")


def _padded(how: Any, rows: Sequence[Mapping[str, Any]]) -> Batch:
    padding = getattr(how, "padding", True)
    length, multiple = getattr(how, "max_length", None), how.pad_to_multiple_of
    found = how.tokenizer.pad(rows, padding, max_length=length, pad_to_multiple_of=multiple, return_tensors="pt")
    return dict(found)


def _offsets(offsets: Sequence[Any], ids: Tensor, tokenizer: Tokenizer) -> Tensor:
    if len(offsets) < len(ids):
        raise DataError(
            "whole_word_mask tells words by the places of tokens in the text, but the rows have no offset_mapping. Tokenize with "
            "return_offsets_mapping=True, or use DataCollatorForWholeWordMask."
        )
    at_left = tokenizer.padding_side == "left"
    fill = [[[0, 0]] * (ids.shape[1] - len(one)) for one in offsets]
    rows = [[list(pair) for pair in one] for one in offsets]
    return torch.tensor([more + one if at_left else one + more for one, more in zip(rows, fill, strict=True)])


def _special(ids: Tensor, tokenizer: Tokenizer) -> Tensor:
    return torch.isin(ids, torch.tensor(tokenizer.all_special_ids))


def _labels(values: list[Any]) -> Tensor:
    first = values[0][0] if isinstance(values[0], list) else values[0]
    return torch.tensor(values, dtype=torch.long if isinstance(first, int) else torch.float)


def _without(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _as(found: Batch, return_tensors: str) -> Batch:
    if return_tensors not in ("pt", "np"):
        raise ConfigError(f"return_tensors is {return_tensors!r}, but arrays are torch's or NumPy's here. Use 'pt' or 'np'.")
    return found if return_tensors == "pt" else {name: values.numpy() for name, values in found.items()}
