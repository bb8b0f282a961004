"""What a model's attention looks at while it reads an input: by tokens as it reads them, or by words as people do.

Unusual: the graph for it is made when it is first asked for, from the one that answers, and kept in memory as long as the model.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headway.core.batching import TokenSequence
from headway.errors import CheckpointError, InputError
from headway.inference.engine import Engine, OnnxEngine

if TYPE_CHECKING:
    from headway.graph import AttentionGraph
    from headway.text import Tokenizer
    from headway.text.encoded import EncodedText

MOST_TOKENS = 256
"""Tokens of an input whose attention is shown: it has as many numbers as the square of these."""


class Attention:
    """The graph that puts out attention, once it was asked for. Safe to use from several threads."""

    def __init__(self) -> None:
        self._graph: AttentionGraph | None = None
        self._lock = threading.Lock()

    def of(self, engine: Engine) -> "AttentionGraph":
        """The graph, from the one that this engine runs; if that was replaced meanwhile, a ``CheckpointError``."""
        from headway.graph import AttentionGraph

        if not isinstance(engine, OnnxEngine):
            raise InputError("This model runs in torch here, which does not show its attention. Serve it in fp32 or int8.")
        with self._lock:
            if self._graph is None:
                made = None if engine.is_replaced() else AttentionGraph(engine.model, shared=engine.shared)
                if made is None or engine.is_replaced():  # while it was read
                    raise CheckpointError(
                        "The model's file was replaced since it was loaded, so its attention would be another model's. Load it "
                        "again."
                    )
                self._graph = made
            return self._graph


@dataclass(frozen=True, kw_only=True)
class Attended:
    """How one layer attends to an input, for each head."""

    tokens: TokenSequence
    layer: int
    layers: int
    weights: np.ndarray
    """(heads, queries, tokens): each row adds up to 1; the only one, where the layer reads nothing else, is the first token's."""


def attended(graph: "AttentionGraph", sequences: Sequence[TokenSequence], *, layer: int | None) -> Attended:
    """How a layer, by default the last, attends to the only sequence that an input is."""
    if len(sequences) != 1:
        raise InputError(
            f"The input is read as {len(sequences)} sequences, but attention is shown within one. Send a shorter text."
        )
    (tokens,) = sequences
    if len(tokens) > MOST_TOKENS:
        raise InputError(
            f"The input has {len(tokens)} tokens, but attention is shown for {MOST_TOKENS} at most, since each meets each. "
            "Send a shorter text."
        )
    chosen = graph.layers - 1 if layer is None else layer
    if not 0 <= chosen < graph.layers:
        raise InputError(f"layer is {layer}, but the model's layers are 0 to {graph.layers - 1}. Name one of these.")
    return Attended(tokens=tokens, layer=chosen, layers=graph.layers, weights=graph.weights(tokens, layer=chosen))


@dataclass(frozen=True)
class Word:
    """Neighbouring tokens that people read as one: ``first`` to ``last``, both included."""

    first: int
    last: int
    text: str
    place: tuple[int, int, int] | None = None
    """Of which text of the input it is, 0 or 1, and where it begins and ends there; None for what is not the input's."""


def words_of(tokenizer: "Tokenizer", tokens: TokenSequence, texts: Sequence[str], *, whole: bool) -> list[Word]:
    """The words of an input, in order and without gaps; its tokens one by one if they are not to be ``whole``.

    A word has one number of the tokenizer's and no space in it. Where the task reads something else than these texts, such as a
    prompt before them, nothing leads back to them, and each token stands for itself.
    """
    pieces = tokenizer.convert_ids_to_tokens(list(tokens.ids))
    pairs = [texts[1]] if len(texts) > 1 else None
    ((read,),) = tokenizer.encode_windows([texts[0]], pairs, max_length=len(tokens), in_windows=False)
    if list(read.ids) != list(tokens.ids):
        return [Word(place, place, piece) for place, piece in enumerate(pieces)]
    places = [_place(read, at, texts) for at in range(len(read))]
    starts = [at for at in range(len(read)) if at == 0 or not whole or _begins(read, places, at, texts)]
    return [
        _word(first, last, pieces, places, texts if whole else ())
        for first, last in zip(starts, [*(start - 1 for start in starts[1:]), len(read) - 1], strict=True)
    ]


def by_words(weights: np.ndarray, words: Sequence[Word]) -> np.ndarray:
    """The weights of words, (queries, words): what its tokens get is added up, and what they give is their average.

    Clark et al., 2019, arXiv:1906.04341, section 4.1.
    """
    firsts = [word.first for word in words]
    columns = np.add.reduceat(weights, firsts, axis=1)
    if len(weights) == 1:
        return columns
    counts = np.array([word.last - word.first + 1 for word in words])
    return np.asarray(np.add.reduceat(columns, firsts, axis=0) / counts[:, None])


def _place(read: "EncodedText", at: int, texts: Sequence[str]) -> tuple[int, int, int] | None:
    """Where a token stands, without white space around it; None for the frame."""
    owner = read.token_to_sequence(at)
    if owner is None or read.special_tokens_mask[at]:
        return None
    start, end = read.offsets[at]
    part = texts[owner][start:end]
    start += len(part) - len(part.lstrip())
    return owner, start, max(start, end - (len(part) - len(part.rstrip())))


def _begins(read: "EncodedText", places: Sequence[tuple[int, int, int] | None], at: int, texts: Sequence[str]) -> bool:
    before, here = places[at - 1], places[at]
    if before is None or here is None or before[0] != here[0] or read.word_ids[at] != read.word_ids[at - 1]:
        return True
    return before[1] < before[2] and " " in texts[here[0]][before[2] : here[1]]


def _word(
    first: int, last: int, pieces: Sequence[str], places: Sequence[tuple[int, int, int] | None], texts: Sequence[str]
) -> Word:
    begin, end = places[first], places[last]
    if begin is None or end is None:
        return Word(first, last, "".join(pieces[first : last + 1]))
    place = (begin[0], begin[1], end[2])
    said = texts[begin[0]][begin[1] : end[2]] if texts else ""
    return Word(first, last, said or "".join(pieces[first : last + 1]), place)
