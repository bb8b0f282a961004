"""What a call of the tokenizer returns: inputs for the model by name, and the way back from tokens to text."""

from collections import UserDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from headway.errors import InputError, missing_extra
from headway.text.traits import Side

if TYPE_CHECKING:
    from tokenizers import Encoding


class CharSpan(NamedTuple):
    """A stretch of a text in characters; ``end`` is the first one after it."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class EncodedText:
    """One text, or pair, as tokens: the positions kept of the library's encoding (None keeps all), with padding at one side."""

    source: "Encoding"
    kept: Sequence[int] | None = None
    padding: int = 0
    padding_side: Side = "right"
    padding_token: str = ""

    def __len__(self) -> int:
        return self.padding + (len(self.source) if self.kept is None else len(self.kept))

    def column(self, name: str, *, padding: Any) -> list[Any]:
        """One value a token: the attribute ``name`` of the library's encoding, and ``padding`` for what fills up."""
        values: list[Any] = getattr(self.source, name)
        if self.kept is not None:
            values = [values[position] for position in self.kept]
        if self.padding:
            filling = [padding] * self.padding
            values = values + filling if self.padding_side == "right" else filling + values
        return values


class BatchEncoding(UserDict[str, Any]):
    """Inputs by name, ready for ``model(**inputs)``: ``inputs["input_ids"]`` and ``inputs.input_ids`` are the same.

    ``tokens``, ``word_ids``, ``char_to_token`` and their like lead back to the texts that the tokens came from.
    """

    def __init__(self, data: Mapping[str, Any] | None = None, encodings: Sequence[EncodedText] = ()) -> None:
        super().__init__(data or {})
        self.encodings = list(encodings)

    def __getattr__(self, name: str) -> Any:
        if name in {"data", "encodings"} or name.startswith("__"):
            raise AttributeError(name)
        try:
            return self.data[name]
        except KeyError:
            raise AttributeError(f"These inputs have no {name!r}; they have {', '.join(self.data)}.") from None

    def to(self, device: Any) -> Self:
        """These inputs with their tensors moved to a device."""
        self.data = {name: value.to(device) if hasattr(value, "to") else value for name, value in self.data.items()}
        return self

    def tokens(self, batch_index: int = 0) -> list[str]:
        """The pieces of one text."""
        text = self.encodings[batch_index]
        return text.column("tokens", padding=text.padding_token)

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """For each token of one text the number of its word; None for what is not text."""
        return self.encodings[batch_index].column("word_ids", padding=None)

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """For each token 0 if it belongs to the first text, 1 to the second, None for what is not text."""
        return self.encodings[batch_index].column("sequence_ids", padding=None)

    def offsets(self, batch_index: int = 0) -> list[tuple[int, int]]:
        """For each token where it stands in its text, in characters; (0, 0) for what is not text."""
        return self.encodings[batch_index].column("offsets", padding=(0, 0))

    def char_to_token(self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0) -> int | None:
        """The token that covers a character of the first or second text; None where none does, as for a space.

        With one number it is the character's, in the only text; with two, the text's and the character's.
        """
        batch_index, char = _place(batch_or_char_index, char_index)
        places = zip(self.sequence_ids(batch_index), self.offsets(batch_index), strict=True)
        found = (at for at, (owner, (start, end)) in enumerate(places) if owner == sequence_index and start <= char < end)
        return next(found, None)

    def token_to_chars(self, batch_or_token_index: int, token_index: int | None = None) -> CharSpan | None:
        """Where a token stands in its text; None for what is not text. Numbers as for ``char_to_token``."""
        batch_index, token = _place(batch_or_token_index, token_index)
        return None if self.sequence_ids(batch_index)[token] is None else CharSpan(*self.offsets(batch_index)[token])


def _place(batch_or_index: int, index: int | None) -> tuple[int, int]:
    return (0, batch_or_index) if index is None else (batch_or_index, index)


def as_arrays(columns: Mapping[str, list[list[Any]]]) -> dict[str, np.ndarray]:
    """Each column's rows as one int64 array, (texts, tokens), or (texts, tokens, 2) for offsets."""
    lengths = {len(row) for row in columns["input_ids"]}
    if len(lengths) > 1:
        raise InputError(
            f"The texts became {min(lengths)} to {max(lengths)} tokens, so they cannot be the rows of one array. "
            "Use padding=True, and truncation=True if some may be too long."
        )
    shape = (len(columns["input_ids"]), max(lengths, default=0))
    return {
        name: np.array(rows, dtype=np.int64).reshape(*shape, *([2] if name == "offset_mapping" else []))
        for name, rows in columns.items()
    }


def as_tensors(columns: Mapping[str, list[list[Any]]]) -> dict[str, Any]:
    """As ``as_arrays``, for torch."""
    try:
        import torch
    except ImportError as error:
        raise missing_extra("torch", extra="train", purpose='return_tensors="pt"') from error
    return {name: torch.from_numpy(array) for name, array in as_arrays(columns).items()}
