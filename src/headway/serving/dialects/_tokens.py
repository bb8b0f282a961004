"""Tokens as text-embeddings-inference shows them, and texts from tokens."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from headway.errors import InputError, TaskError
from headway.serving.exchange import Served
from headway.tasks.sentence_transformer import SideFiles, read_side_files


def tokens_of(texts: Sequence[str], served: Served, *, special: bool, prompt_name: str | None) -> list[list[dict[str, Any]]]:
    """The tokens of each text, after its prompt: id, text, whether it is a special one, and from which byte to which."""
    prompt = chosen_prompt(side_files(served), prompt_name)
    found = [prompt + text for text in texts]
    encoded = served.tokenizer(
        found,
        add_special_tokens=special,
        truncation=False,
        return_special_tokens_mask=True,
        return_offsets_mapping=True,
    )
    rows = zip(found, encoded["input_ids"], encoded["special_tokens_mask"], encoded["offset_mapping"], strict=True)
    return [_shown(text, ids, masks, places, served) for text, ids, masks, places in rows]


def decoded(sequences: Sequence[Sequence[int]], served: Served, *, skip_special_tokens: bool) -> list[str]:
    """The text of each list of ids."""
    known = len(served.tokenizer)
    for ids in sequences:
        if ids and max(ids) >= known:
            raise InputError(
                f"An id is {max(ids)}, but the tokenizer of {served.name} knows ids below {known}. Send its own ids."
            )
    return [served.tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens) for ids in sequences]


def pooling_of(served: Served) -> str:
    """How the model's vectors of texts are pooled, in one word."""
    return "_".join(side_files(served).pooling)


def side_files(served: Served) -> SideFiles:
    """What the model's folder says of vectors of texts."""
    return read_side_files(served.facts.folder)


def chosen_prompt(side: SideFiles, name: str | None) -> str:
    """What stands before each text: the prompt of this name, or the usual one."""
    if name is None:
        return side.default_prompt
    if name not in side.prompts:
        raise TaskError(f"prompt_name is {name!r}, but the model's prompts are {', '.join(side.prompts)}. Name one of them.")
    return side.prompts[name]


def _shown(
    text: str, ids: Sequence[int], masks: Sequence[int], places: Sequence[tuple[int, int]], served: Served
) -> list[dict[str, Any]]:
    starts = [*accumulate((len(sign.encode("utf-8", "replace")) for sign in text), initial=0)]
    names = served.tokenizer.convert_ids_to_tokens(list(ids))
    return [
        {"id": token, "text": name, "special": True, "start": None, "stop": None}
        if is_special
        else {"id": token, "text": text[start:end], "special": False, "start": starts[start], "stop": starts[end]}
        for token, name, is_special, (start, end) in zip(ids, names, masks, places, strict=True)
    ]
