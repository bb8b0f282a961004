"""How many tokens of a text a model reads, and what happens to the rest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headway.architecture import ModelConfig
from headway.core.batching import TokenSequence
from headway.errors import ConfigError, InputError
from headway.families import family

if TYPE_CHECKING:
    from headway.text import Tokenizer


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


def encode_texts(
    texts: Sequence[str], pairs: Sequence[str | None], *, tokenizer: "Tokenizer", limit: int, refuse_longer: bool = False
) -> list[TokenSequence]:
    """Texts, some perhaps with a pair, as token sequences of at most ``limit`` tokens, in order.

    What lies beyond the limit is left out, from the longer of a pair first; or refused.
    """
    max_length = None if refuse_longer else limit
    encoded: list[TokenSequence | None] = [None] * len(texts)
    for with_pair in (False, True):
        places = [place for place, pair in enumerate(pairs) if (pair is not None) == with_pair]
        if places:
            chosen = [texts[place] for place in places]
            second = [pair for place in places if (pair := pairs[place]) is not None] if with_pair else None
            for place, tokens in zip(places, tokenizer.encode_sequences(chosen, second, max_length=max_length), strict=True):
                encoded[place] = tokens
    found = [tokens for tokens in encoded if tokens is not None]
    if refuse_longer:
        _refuse_longer(found, limit)
    return found


def _refuse_longer(sequences: Sequence[TokenSequence], limit: int) -> None:
    longest = max(map(len, sequences), default=0)
    if longest > limit:
        raise InputError(
            f'A text has {longest} tokens, but the model reads at most {limit}, and overflow="error" refuses to leave out the '
            'rest. Shorten the text, or use overflow="truncate", which reads its beginning.'
        )
