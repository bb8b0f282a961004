"""Long texts of which little is kept: only as much of their beginning is tokenised as is needed.

A beginning gives the same tokens as the whole text where nothing on one side of a space can change the tokens on the other.
That holds for normalisation character by character, splitting at spaces, and models that read one word at a time; whatever is
not known to be so is tokenised whole.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from headway.text.truncation import Cut, check_room

if TYPE_CHECKING:
    from tokenizers import Encoding
    from tokenizers import Tokenizer as Backend

CHARACTERS_PER_TOKEN = 8
"""How long a beginning is tokenised at first, for each token wanted: languages with spaces have 3 to 6."""

GROWTH = 8

# A letter or digit before a space: it neither joins with the space (as U+0600 does), nor vanishes, nor becomes a space itself.
BOUNDARY = re.compile("[0-9A-Za-zÀ-ÖØ-öø-ʯΑ-ΡΣ-ωА-яא-תؠ-ؿف-ي가-힣](?= )")

NORMALIZERS = {"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "Strip", "StripAccents"}
SPLITTERS = {"BertPreTokenizer", "ByteLevel", "Metaspace", "Whitespace", "WhitespaceSplit"}
FINER_SPLITTERS = {"Digits", "Punctuation"}
MODELS = {"BPE", "Unigram", "WordLevel", "WordPiece"}


def splits_at_spaces(backend: "Backend") -> bool:
    """Whether the tokens before a space that follows a letter are those of the text up to there."""
    normalizers, splitters = _parts(backend.normalizer, "normalizers"), _parts(backend.pre_tokenizer, "pretokenizers")
    return (
        type(backend.model).__name__ in MODELS
        and all(map(_is_local, normalizers))
        and any(part["type"] in SPLITTERS for part in splitters)
        and all(map(_splits_locally, splitters))
        and not any(map(_has_space, _added_texts(backend)))
    )


def encode_beginnings(
    encode: Callable[[list[Any]], "list[Encoding]"], inputs: list[Any], *, cut: Cut, specials: int, growth: int = 1
) -> "list[Encoding]":
    """As much of the encodings of the texts, or pairs, as is kept of them when they are cut at their right side."""
    check_room(cut.max_length, specials)
    room = cut.max_length - specials
    size = CHARACTERS_PER_TOKEN * growth * room
    shorter = [_beginnings(entry, size, cut) for entry in inputs]
    found = encode(shorter)
    again = [at for at, entry in enumerate(inputs) if entry != shorter[at] and not _decides(found[at], entry, shorter[at], room)]
    if again:
        longer = encode_beginnings(encode, [inputs[at] for at in again], cut=cut, specials=specials, growth=growth * GROWTH)
        for at, encoding in zip(again, longer, strict=True):
            found[at] = encoding
    return found


def are_long(inputs: Sequence[Any], cut: Cut) -> bool:
    """Whether any of the texts is so long that its beginning may be enough."""
    size = CHARACTERS_PER_TOKEN * cut.max_length
    return any(len(entry) > size if isinstance(entry, str) else max(map(len, entry)) > size for entry in inputs)


def _beginnings(entry: Any, size: int, cut: Cut) -> Any:
    if isinstance(entry, str):
        return entry if cut.strategy == "only_second" else _beginning(entry, size)
    first, second = entry
    return (
        first if cut.strategy == "only_second" else _beginning(first, size),
        second if cut.strategy == "only_first" else _beginning(second, size),
    )


def _beginning(text: str, size: int) -> str:
    if len(text) <= size:
        return text
    boundary = BOUNDARY.search(text, size)
    return text if boundary is None else text[: boundary.end()]


def _decides(found: "Encoding", entry: Any, shorter: Any, room: int) -> bool:
    """Whether what was found is enough: all that can be kept of each text, and certainty about which of two is the longer."""
    whole, read = ((entry,), (shorter,)) if isinstance(entry, str) else (entry, shorter)
    owners = found.sequence_ids
    counts = [owners.count(owner) for owner in range(len(whole))]
    is_enough = all(count >= room for count, text, part in zip(counts, whole, read, strict=True) if len(part) < len(text))
    return is_enough and (len(counts) == 1 or room % 2 == 0 or min(counts) < room)


def _parts(component: Any, name: str) -> list[dict[str, Any]]:
    """A normaliser or splitter as settings; the parts of a sequence one by one."""
    state = {"type": "Sequence", name: []} if component is None else json.loads(component.__getstate__())
    return _flat(state, name)


def _flat(state: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [part for inner in state[name] for part in _flat(inner, name)] if state["type"] == "Sequence" else [state]


def _is_local(normalizer: dict[str, Any]) -> bool:
    if normalizer["type"] != "Replace":
        return normalizer["type"] in NORMALIZERS
    match normalizer["pattern"]:
        case {"String": str(text)}:
            return not _has_space(text)
        case {"Regex": " {2,}" | "\n"}:
            return True
        case _:
            return False


def _splits_locally(splitter: dict[str, Any]) -> bool:
    kind = splitter["type"]
    return kind in SPLITTERS | FINER_SPLITTERS and splitter.get("use_regex", True) and splitter.get("split", True)


def _added_texts(backend: "Backend") -> list[str]:
    """The added tokens as they are looked for in the text, and in the normalised text."""
    texts = [token.content for token in backend.get_added_tokens_decoder().values()]
    normalizer = backend.normalizer
    return texts if normalizer is None else texts + [normalizer.normalize_str(text) for text in texts]


def _has_space(text: str) -> bool:
    return any(character.isspace() or character == "▁" for character in text)
