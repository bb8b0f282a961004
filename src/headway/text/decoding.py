"""From ids back to text."""

from typing import Any

from headway.errors import InputError

SPACED = (" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're")


def plain_lists(ids: Any) -> Any:
    """Ids as Python numbers in lists, from an array or a tensor too."""
    return ids.tolist() if hasattr(ids, "tolist") else ids


def checked_ids(ids: Any, vocab_size: int) -> list[int]:
    """The ids, if each of them is one."""
    if isinstance(ids, str | bytes) or not hasattr(ids, "__iter__"):
        raise InputError(f"{ids!r} is not a list of token ids. To turn text into ids call the tokenizer.")
    plain = [plain_lists(index) for index in ids]
    for position, index in enumerate(plain):
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < vocab_size:
            raise InputError(
                f"Position {position} holds {index!r}, which is no token id: those of this tokenizer are 0 to {vocab_size - 1}. "
                "For several sequences use batch_decode; replace -100, which marks ignored labels, first."
            )
    return plain


def cleaned_up(text: str) -> str:
    """English text without the spaces that stand before punctuation in joined pieces, by transformers' list."""
    for spaced in SPACED:
        text = text.replace(spaced, spaced.strip())
    return text
