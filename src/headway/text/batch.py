"""What a call of the tokenizer returns: inputs for the model by name, and the way back from tokens to text."""

from collections import UserDict
from collections.abc import Mapping, Sequence
from typing import Any, Self

from headway.errors import InputError
from headway.text.encoded import CharSpan, EncodedText, TokenSpan
from headway.text.tensors import as_tensor, checked_tensors


class BatchEncoding(UserDict[str, Any]):
    """Inputs by name, ready for ``model(**inputs)``: ``inputs["input_ids"]`` and ``inputs.input_ids`` are the same.

    ``tokens``, ``word_ids``, ``char_to_token`` and their like lead back to the texts that the tokens came from; ``inputs[0]``
    is the first text with all of them. Where a method takes a text's number and another one, a single number is the latter, in
    the first text.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        encoding: EncodedText | Sequence[EncodedText] | None = None,
        *,
        tensor_type: str | None = None,
        prepend_batch_axis: bool = False,
        n_sequences: int | None = None,
    ) -> None:
        super().__init__(data or {})
        self._encodings = [encoding] if isinstance(encoding, EncodedText) else encoding
        self._n_sequences = n_sequences
        self.convert_to_tensors(tensor_type, prepend_batch_axis=prepend_batch_axis)

    @property
    def encodings(self) -> Sequence[EncodedText] | None:
        """The texts, or windows of them, as tokens; None for inputs that no call of a tokenizer made."""
        return self._encodings

    @property
    def is_fast(self) -> bool:
        """Whether there is a way back to the text."""
        return self._encodings is not None

    @property
    def n_sequences(self) -> int | None:
        """1 for texts, 2 for pairs, None where that is not known."""
        return self._encodings[0].n_sequences if self._n_sequences is None and self._encodings else self._n_sequences

    def __getitem__(self, item: Any) -> Any:
        """The input of that name; with a number or a slice, the texts as tokens, or without those the inputs' rows."""
        if isinstance(item, str):
            return self.data[item]
        if self._encodings is not None:
            return self._encodings[item]
        if isinstance(item, slice):
            return {name: values[item] for name, values in self.data.items()}
        raise InputError(f"These inputs have no text number {item!r}, for no call of a tokenizer made them. Ask by name.")

    def __getattr__(self, name: str) -> Any:
        if name in {"data", "_encodings"} or name.startswith("__"):
            raise AttributeError(name)
        try:
            return self.data[name]
        except KeyError:
            raise AttributeError(f"These inputs have no {name!r}; they have {', '.join(self.data)}.") from None

    def to(self, device: Any, *, non_blocking: bool = False) -> Self:
        """These inputs with their tensors moved to a device."""
        self.data = {
            name: value.to(device=device, non_blocking=non_blocking) if hasattr(value, "to") else value
            for name, value in self.data.items()
        }
        return self

    def convert_to_tensors(self, tensor_type: str | None = None, prepend_batch_axis: bool = False) -> Self:
        """These inputs with their lists as arrays, ``"np"`` or ``"pt"``; ``prepend_batch_axis`` makes a single text a batch."""
        kind = checked_tensors(tensor_type)
        if kind is not None:
            self.data = {
                name: as_tensor([value] if prepend_batch_axis else value, kind, name=name) for name, value in self.data.items()
            }
        return self

    def tokens(self, batch_index: int = 0) -> list[str]:
        """The pieces of one text."""
        return self._text(batch_index).tokens

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """For each token of one text the number of its word; None for what is not text."""
        return self._text(batch_index).word_ids

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """For each token 0 if it belongs to the first text, 1 to the second, None for what is not text."""
        return self._text(batch_index).sequence_ids

    def offsets(self, batch_index: int = 0) -> list[tuple[int, int]]:
        """For each token where it stands in its text, in characters; (0, 0) for what is not text."""
        return self._text(batch_index).offsets

    def char_to_token(self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0) -> int | None:
        """The token that covers a character of the first or second text; None where none does, as for a space."""
        batch_index, char = _place(batch_or_char_index, char_index)
        return self._text(batch_index).char_to_token(char, sequence_index)

    def char_to_word(self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0) -> int | None:
        """The word that a character belongs to; None where there is none."""
        batch_index, char = _place(batch_or_char_index, char_index)
        return self._text(batch_index).char_to_word(char, sequence_index)

    def token_to_chars(self, batch_or_token_index: int, token_index: int | None = None) -> CharSpan | None:
        """Where a token stands in its text; None for what is not text."""
        batch_index, token = _place(batch_or_token_index, token_index)
        return self._text(batch_index).token_to_chars(token)

    def token_to_sequence(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """0 if a token belongs to the first text, 1 if to the second; None for what is not text."""
        batch_index, token = _place(batch_or_token_index, token_index)
        return self._text(batch_index).token_to_sequence(token)

    def token_to_word(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """The number of a token's word; None for what is not text."""
        batch_index, token = _place(batch_or_token_index, token_index)
        return self._text(batch_index).token_to_word(token)

    def word_to_tokens(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> TokenSpan | None:
        """The tokens of a word of the first or second text; None where none of them is left."""
        batch_index, word = _place(batch_or_word_index, word_index)
        return self._text(batch_index).word_to_tokens(word, sequence_index)

    def word_to_chars(self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0) -> CharSpan | None:
        """Where a word stands in its text; None where none of its tokens is left."""
        batch_index, word = _place(batch_or_word_index, word_index)
        return self._text(batch_index).word_to_chars(word, sequence_index)

    def _text(self, batch_index: int) -> EncodedText:
        if self._encodings is None:
            raise InputError(
                "These inputs lead back to no text, for no call of a tokenizer made them. Call the tokenizer with texts."
            )
        return self._encodings[batch_index]


def with_labels(inputs: BatchEncoding, targets: BatchEncoding) -> BatchEncoding:
    """The inputs with the ids of the targets as labels. Padding among these is the padding token, as transformers leaves it."""
    inputs["labels"] = targets["input_ids"]
    return inputs


def _place(batch_or_index: int, index: int | None) -> tuple[int, int]:
    return (0, batch_or_index) if index is None else (batch_or_index, index)
