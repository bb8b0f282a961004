"""What a call of the tokenizer returns: inputs for the model by name, and the way back from tokens to text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from headway.errors import InputError
from headway.text.traits import Side

if TYPE_CHECKING:
    from tokenizers import Encoding


@dataclass(frozen=True)
class EncodedText:
    """One text, or pair, as tokens: those positions of the library's encoding that were kept, with padding at one side."""

    source: "Encoding"
    kept: Sequence[int] | None = None
    padding: int = 0
    padding_side: Side = "right"

    def __len__(self) -> int:
        return self.padding + (len(self.source) if self.kept is None else len(self.kept))

    def column(self, values: Sequence[Any], *, padding: Any) -> list[Any]:
        """One value a token, from the library's values of the whole text."""
        taken = list(values) if self.kept is None else [values[position] for position in self.kept]
        if not self.padding:
            return taken
        filling = [padding] * self.padding
        return taken + filling if self.padding_side == "right" else filling + taken

    @cached_property
    def offsets(self) -> list[tuple[int, int]]:
        """Where each token stands in its text, in characters; (0, 0) for what is not text."""
        return self.column(self.source.offsets, padding=(0, 0))

    @cached_property
    def word_ids(self) -> list[int | None]:
        """The number of the word that each token belongs to; None for what is not text."""
        return self.column(self.source.word_ids, padding=None)

    @cached_property
    def sequence_ids(self) -> list[int | None]:
        """0 for tokens of the first text, 1 for the second, None for what is not text."""
        return self.column(self.source.sequence_ids, padding=None)

    @cached_property
    def special_tokens_mask(self) -> list[int]:
        """1 for what is not text."""
        return self.column(self.source.special_tokens_mask, padding=1)


class BatchEncoding(Mapping[str, Any]):
    """Inputs by name, ready for ``model(**inputs)``: ``inputs["input_ids"]`` and ``inputs.input_ids`` are the same.

    ``word_ids``, ``tokens``, ``char_to_token`` and their like lead back to the text that the tokens came from.
    """

    def __init__(self, data: Mapping[str, Any], encodings: Sequence[EncodedText] = (), *, tokens: Sequence[Sequence[str]] = ()) -> None:
        self.data = dict(data)
        self.encodings = list(encodings)

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __getattr__(self, name: str) -> Any:
        if name in {"data", "encodings"} or name.startswith("__"):
            raise AttributeError(name)
        try:
            return self.data[name]
        except KeyError:
            raise AttributeError(f"These inputs have no {name!r}; they have {', '.join(self.data)}.") from None

    def __repr__(self) -> str:
        return f"BatchEncoding({self.data!r})"

    def to(self, device: Any) -> "BatchEncoding":
        """The same inputs with their tensors on another device."""
        return BatchEncoding({name: value.to(device) if hasattr(value, "to") else value for name, value in self.data.items()}, self.encodings)
