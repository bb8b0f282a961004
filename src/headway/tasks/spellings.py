"""What people pass to the tokenizer through a pipeline of transformers: understood where it means something, else refused."""

from collections.abc import Collection, Mapping
from typing import Any

from headway.errors import TaskError

NESTED = ("tokenizer_kwargs", "tokenize_kwargs")
"""Under which transformers' tasks take the tokenizer's arguments where they do not take them one by one."""

NO_EFFECT = ("padding", "pad_to_multiple_of", "padding_side", "verbose")
"""Texts are batched by length and without padding that would change an answer."""

ONLY: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "add_special_tokens": ((True, None), "models were trained with their special tokens, and answer badly without."),
    "is_split_into_words": ((False, None), "this task reads whole texts; join the words: ' '.join(words)."),
    "return_attention_mask": ((True, None), "every model reads it."),
    "return_overflowing_tokens": ((False, None), 'write overflow="window" to have a long text read in windows.'),
    "return_tensors": ((None, "pt", "np"), "answers are plain Python values."),
    "return_token_type_ids": ((True, None), "a model gets the inputs that it was trained with."),
}
"""Arguments of tokenizers with the values that ask for what happens anyway, and what to do instead of the others."""

TRUNCATION: Mapping[Any, str] = {True: "truncate", "longest_first": "truncate", False: "error", "do_not_truncate": "error"}


def in_our_words(values: Mapping[str, Any], own: Collection[str]) -> dict[str, Any]:
    """Options under our names, without those that would change nothing. ``own`` names are the task's and stay as they are.

    ``truncation`` says what happens to a text that is too long: True cuts it, False refuses it.
    """
    given = dict(values)
    for name in NESTED:
        if name not in own and (nested := given.pop(name, None)) is not None:
            given = {**_mapping(name, nested), **given}
    for name in [name for name in given if name not in own]:
        if name in NO_EFFECT:
            del given[name]
        elif name in ONLY:
            _check(name, given.pop(name))
        elif name == "truncation" and (asked := given.pop(name)) is not None:
            given.setdefault("overflow", _overflow(asked))
    return {name: value for name, value in given.items() if name != "truncation" or name in own}


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TaskError(f"{name} is {value!r}, but it holds arguments by name. Write {name}={{'truncation': True}}.")
    return value


def _check(name: str, value: Any) -> None:
    values, reason = ONLY[name]
    if not any(value is one or value == one for one in values):
        raise TaskError(f"{name}={value!r} cannot be had here: {reason}")


def _overflow(truncation: Any) -> str:
    wanted = getattr(truncation, "value", truncation)
    if isinstance(wanted, str | bool) and wanted in TRUNCATION:
        return TRUNCATION[wanted]
    raise TaskError(
        f"truncation={wanted!r} cannot be had here: True (or 'longest_first') cuts the longer text of a pair first, and False "
        "refuses what is too long. To keep one text of a pair whole, shorten the other before the call."
    )
