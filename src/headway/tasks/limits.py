"""How many tokens of a text a model reads, and what happens to the rest."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from headway.architecture import ModelConfig
from headway.core.batching import TokenSequence
from headway.errors import ConfigError, InputError
from headway.families import family
from headway.tasks.task import Encoded, ModelFacts, TaskOptions

if TYPE_CHECKING:
    from headway.text import Tokenizer
    from headway.text.truncation import Truncation

Item = TypeVar("Item")


def token_limit(tokenizer: "Tokenizer", config: ModelConfig, *, asked: int | None = None) -> int:
    """The least of what was asked for, what the tokenizer says, and how many positions the model has."""
    positions = family(config.model_type).architecture(config, "base").encoder.max_tokens
    limit = min(positions, tokenizer.model_max_length)
    if asked is None:
        return limit
    if not isinstance(asked, int) or isinstance(asked, bool) or asked < 3:
        raise ConfigError(
            f"max_length is {asked!r}, but a text needs room for two special tokens and one of its own. Use a whole number "
            "from 3 on."
        )
    return min(asked, limit)


def encode_inputs(
    texts: Sequence[str],
    pairs: Sequence[str | None],
    *,
    facts: ModelFacts,
    limit: int,
    options: TaskOptions,
    strategy: "Truncation" = "longest_first",
) -> list[Encoded]:
    """Texts, some perhaps with a pair, as the model reads them: in one sequence each, or in windows where the options say so.

    ``strategy`` says which text of a pair is cut; a text without a pair is cut whatever it says.
    """
    if options.overflow == "window" or options.count_dropped or strategy != "longest_first":
        return _by_pairing(
            texts,
            pairs,
            lambda first, second: _in_windows(first, second, facts, limit, options, strategy if second else "longest_first"),
        )
    refuse = options.overflow == "error"
    return [
        Encoded((tokens,)) for tokens in encode_texts(texts, pairs, tokenizer=facts.tokenizer, limit=limit, refuse_longer=refuse)
    ]


def encode_texts(
    texts: Sequence[str], pairs: Sequence[str | None], *, tokenizer: "Tokenizer", limit: int, refuse_longer: bool = False
) -> list[TokenSequence]:
    """Texts, some perhaps with a pair, as token sequences of at most ``limit`` tokens, in order.

    What lies beyond the limit is left out, from the longer of a pair first; or refused.
    """
    max_length = None if refuse_longer else limit
    found = _by_pairing(texts, pairs, lambda first, second: tokenizer.encode_sequences(first, second, max_length=max_length))
    if refuse_longer:
        check_lengths(found, limit)
    return found


def check_lengths(sequences: Sequence[TokenSequence], limit: int) -> None:
    """Raise ``InputError`` where one of them is longer than the model reads."""
    longest = max(map(len, sequences), default=0)
    if longest > limit:
        raise InputError(
            f'A text has {longest} tokens, but the model reads at most {limit}, and overflow="error" refuses to leave out the '
            'rest. Shorten the text, or use overflow="truncate", which reads its beginning.'
        )


def window_stride(stride: int | None, *, limit: int) -> int:
    """How many tokens neighbouring windows share: as asked, or a quarter of the model's limit."""
    if stride is None:
        return limit // 4
    if not isinstance(stride, int) or isinstance(stride, bool) or stride < 0:
        raise ConfigError(f"stride is {stride!r}, but it counts the tokens that windows share. Use a whole number from 0 on.")
    return stride


def _in_windows(
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    facts: ModelFacts,
    limit: int,
    options: TaskOptions,
    strategy: "Truncation",
) -> list[Encoded]:
    """All windows of each text, or its first with the number of tokens that are in none."""
    in_windows, stride = options.overflow == "window", window_stride(options.stride, limit=limit)
    if in_windows and pairs is not None and strategy == "longest_first":
        stride = min(stride, limit // 8)  # of two texts that share a window, each may have little of it
    stride = stride if in_windows else 0
    found = facts.tokenizer.encode_windows(texts, pairs, max_length=limit, stride=stride, strategy=strategy)
    if in_windows:
        return [Encoded(tuple(window.sequence for window in windows)) for windows in found]
    firsts = [windows[0].sequence for windows in found]
    if options.overflow == "error":
        check_lengths([TokenSequence(windows[0].source.ids) for windows in found], limit)
    dropped = [len(windows[0].source) - len(windows[0]) for windows in found]
    return [Encoded((first,), dropped=count) for first, count in zip(firsts, dropped, strict=True)]


def _by_pairing(
    texts: Sequence[str], pairs: Sequence[str | None], encode: Callable[[list[str], list[str] | None], Sequence[Item]]
) -> list[Item]:
    """What ``encode`` makes of the texts without a pair, and of those with one, in the order of all of them."""
    encoded: dict[int, Item] = {}
    for with_pair in (False, True):
        places = [place for place, pair in enumerate(pairs) if (pair is not None) == with_pair]
        if places:
            second = [pair for place in places if (pair := pairs[place]) is not None] if with_pair else None
            encoded |= zip(places, encode([texts[place] for place in places], second), strict=True)
    return [encoded[place] for place in range(len(texts))]
