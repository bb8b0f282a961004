"""From ids back to pieces and text, and from pieces to ids."""

from abc import ABC
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer as Backend

from headway.errors import InputError
from headway.text.inputs import without_surrogates
from headway.text.state import State

SPACED = (" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're")


class Decoding(ABC):
    """How a tokenizer's ids, pieces and texts become one another."""

    _state: State

    def decode(
        self, token_ids: Any, skip_special_tokens: bool = False, *, clean_up_tokenization_spaces: bool | None = None
    ) -> str:
        """The text of one sequence of ids: a list, array or tensor."""
        ids = plain_lists(token_ids)
        sequences = [[ids] if isinstance(ids, int) else ids]
        return self.batch_decode(sequences, skip_special_tokens, clean_up_tokenization_spaces=clean_up_tokenization_spaces)[0]

    def batch_decode(
        self, sequences: Any, skip_special_tokens: bool = False, *, clean_up_tokenization_spaces: bool | None = None
    ) -> list[str]:
        """The texts of many sequences of ids."""
        state = self._state
        checked = [checked_ids(ids, state) for ids in plain_lists(sequences)]
        texts: list[str] = state.backend.decode_batch(checked, skip_special_tokens=skip_special_tokens)
        own = state.traits.clean_up_tokenization_spaces
        cleans = own if clean_up_tokenization_spaces is None else clean_up_tokenization_spaces
        return [cleaned_up(text) for text in texts] if cleans else texts

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """The piece of an id, or the pieces of many."""
        state, ids = self._state, plain_lists(ids)
        if isinstance(ids, int):
            return state.backend.id_to_token(checked_ids([ids], state)[0])
        skipped = set(state.special_ids) if skip_special_tokens else set()
        return [state.backend.id_to_token(index) for index in checked_ids(ids, state) if index not in skipped]

    def convert_tokens_to_ids(self, tokens: str | Sequence[str]) -> Any:
        """The id of a piece, or the ids of many; an unknown piece has the id of the unknown token."""
        state = self._state
        return _id_of(tokens, state) if isinstance(tokens, str) else [_id_of(token, state) for token in tokens]

    def clean_up_tokenization(self, text: str) -> str:
        """A text without the spaces before punctuation that English has not, as ``clean_up_tokenization_spaces`` leaves it."""
        return cleaned_up(text)

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text of pieces."""
        decoder = self._state.backend.decoder
        return " ".join(tokens) if decoder is None else str(decoder.decode(list(tokens)))


def plain_lists(ids: Any) -> Any:
    """Ids as Python numbers in lists, from an array or a tensor too."""
    return ids.tolist() if hasattr(ids, "tolist") else ids


def checked_ids(ids: Any, state: State) -> list[int]:
    """The ids, if each of them is one."""
    if isinstance(ids, str | bytes) or not hasattr(ids, "__iter__"):
        raise InputError(f"{ids!r} is not a list of token ids. To turn text into ids call the tokenizer.")
    plain, size = [plain_lists(index) for index in ids], state.size  # the library counts its pieces anew each time
    if set(map(type, plain)) <= {int} and min(plain, default=0) >= 0 and max(plain, default=0) < size:
        return plain
    for position, index in enumerate(plain):
        if isinstance(index, bool) or not isinstance(index, int) or index < 0 or not _is_known(index, state.backend, size):
            raise InputError(
                f"Position {position} holds {index!r}, which is no token id: those of this tokenizer are 0 to {size - 1}. "
                "For several sequences use batch_decode; replace -100, which marks ignored labels, first."
            )
    return plain


def cleaned_up(text: str) -> str:
    """English text without the spaces that stand before punctuation in joined pieces, by transformers' list."""
    for spaced in SPACED:
        text = text.replace(spaced, spaced.strip())
    return text


def _is_known(index: int, backend: Backend, size: int) -> bool:
    """Whether there is such an id; a vocabulary with gaps has some beyond its size."""
    return index < size or (index < 1 << 32 and backend.id_to_token(index) is not None)


def _id_of(token: str, state: State) -> int | None:
    found: int | None = state.backend.token_to_id(without_surrogates(token))
    return state.backend.token_to_id(state.traits.special_tokens.get("unk_token", "")) if found is None else found
