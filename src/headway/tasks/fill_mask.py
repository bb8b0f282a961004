"""Fill-mask: the likeliest words for each mask in a text, with the answers of transformers' pipeline."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from headway.errors import InputError, TaskError
from headway.tasks.columns import SINGLE_TEXTS
from headway.tasks.inputs import read_text
from headway.tasks.limits import encode_inputs, token_limit, window_stride
from headway.tasks.numbers import softmax
from headway.tasks.table import Column
from headway.tasks.task import Call, Encoded, ModelFacts, Outputs, Task, TaskOptions, check_count

if TYPE_CHECKING:
    from headway.text.encoded import EncodedText

USUAL_COUNT = 5
FILLING = (Column("score", "number"), Column("token", "integer"), Column("token_str", "text"), Column("sequence", "text"))


@dataclass(frozen=True, kw_only=True)
class FillMaskOptions(TaskOptions):
    """How masks are filled."""

    top_k: int | None = USUAL_COUNT
    """How many words to give for each mask, best first; None is 5, as in transformers."""
    targets: str | tuple[str, ...] | None = None
    """Score only these words. A word that is no single token stands for its first one, and a warning says so."""

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k)


@dataclass(frozen=True)
class Masks:
    """A text's tokens as its answers show them, and which masks are answered from which of its sequences.

    ``chosen`` has for each sequence pairs of a number, that of the mask among those of the sequence, and the mask's place in
    ``ids``.
    """

    ids: np.ndarray
    chosen: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def count(self) -> int:
        """How many masks are answered."""
        return sum(map(len, self.chosen))


@dataclass(frozen=True)
class Scored:
    """The best tokens of one mask, with their scores."""

    place: int
    tokens: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class MaskFiller:
    """The task made ready for one model; ``targets`` are the token ids that may be answers, None for all."""

    facts: ModelFacts
    options: FillMaskOptions
    limit: int
    targets: np.ndarray | None

    @property
    def columns(self) -> tuple[Column, ...]:
        """For each mask of a text a list of fillings."""
        return (Column("fillings", FILLING, depth=2),)

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """Texts with masks as the model reads them; of windows only those that answer a mask."""
        texts = [read_text(item) for item in items]
        if self.options.overflow == "window":
            stride = window_stride(self.options.stride, limit=self.limit)
            found = self.facts.tokenizer.encode_windows(texts, max_length=self.limit, stride=stride)
            return [self._with_windows(text, windows) for text, windows in zip(texts, found, strict=True)]
        read = encode_inputs(texts, [None] * len(texts), facts=self.facts, limit=self.limit, options=self.options)
        return [self._with_masks(text, encoded) for text, encoded in zip(texts, read, strict=True)]

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> list[Scored]:
        """The best words of each mask that this sequence answers."""
        chosen = encoded.memory.chosen[part]
        logits_MV = outputs.get("masked_logits")
        if logits_MV is None:
            logits_MV = outputs["logits"][self._places(encoded.sequences[part].ids)]
        scores_MV = softmax(logits_MV[[number for number, _ in chosen]].astype(np.float32))
        return [self._best(scores_V, place) for scores_V, (_, place) in zip(scores_MV, chosen, strict=True)]

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> list[Any]:
        """For one mask its fillings; for several a list of those."""
        masks: Masks = encoded.memory
        scored = sorted((found for part in parts for found in part), key=lambda found: found.place)
        fillings = [self._fillings(found, masks) for found in scored]
        return fillings[0] if len(fillings) == 1 else fillings

    def row(self, answer: Any) -> dict[str, Any]:
        """For each mask its fillings, also where there is one."""
        return {"fillings": [answer] if isinstance(answer[0], Mapping) else answer}

    def present(self, answers: list[Any], call: Call) -> Any:
        """A text's fillings; a list of one text is answered as that text, as transformers does."""
        return answers if call.kind == "list" and len(answers) != 1 else answers[0]

    def _with_masks(self, text: str, encoded: Encoded) -> Encoded:
        """A text that is one sequence, whose masks are all answered from it."""
        ids = np.asarray(encoded.sequences[0].ids)
        places = self._places(ids)
        if not len(places):
            self._refuse(text)
        return replace(encoded, memory=Masks(ids, (tuple(enumerate(places.tolist())),)))

    def _with_windows(self, text: str, windows: Sequence["EncodedText"]) -> Encoded:
        """A text whose every mask is answered from the window where it has most context on the side where it has less."""
        ids, places = np.asarray(windows[0].source.ids), [np.array(window.places) for window in windows]
        masks_of = [self._places(ids[inside]).tolist() for inside in places]
        chosen: list[list[tuple[int, int]]] = [[] for _ in windows]
        for mask in self._places(ids).tolist():
            _, _, window, number = max(
                (min(at, len(places[window]) - 1 - at), -window, window, number)
                for window, masks in enumerate(masks_of)
                for number, at in enumerate(masks)
                if places[window][at] == mask
            )
            chosen[window].append((number, mask))
        read = [window for window, masks in enumerate(chosen) if masks]
        if not read:
            self._refuse(text)
        unread = len(ids) - len(set().union(*(places[window].tolist() for window in read)))
        return Encoded(
            tuple(windows[window].sequence for window in read),
            Masks(ids, tuple(tuple(chosen[window]) for window in read)),
            dropped=unread if self.options.count_dropped else 0,
        )

    def _places(self, ids: Any) -> np.ndarray:
        return np.flatnonzero(np.asarray(ids) == self.facts.tokenizer.mask_token_id)

    def _best(self, scores_V: np.ndarray, place: int) -> Scored:
        words = min(len(scores_V), len(self.facts.tokenizer))  # a model's vocabulary may be rounded up beyond the tokenizer's
        candidates = scores_V[:words] if self.targets is None else scores_V[self.targets]
        best = _largest(candidates, self.options.top_k or USUAL_COUNT)
        best = best if self.targets is None else self.targets[best]
        return Scored(place, best, scores_V[best])

    def _fillings(self, found: Scored, masks: Masks) -> list[dict[str, Any]]:
        tokenizer, tokens = self.facts.tokenizer, found.tokens.tolist()
        filled = np.tile(masks.ids, (len(tokens), 1))
        filled[:, found.place] = tokens
        kept = [row[row != tokenizer.pad_token_id].tolist() for row in filled]
        # where there are several masks, the others stay visible
        sequences = tokenizer.batch_decode(kept, skip_special_tokens=masks.count == 1)
        words = tokenizer.batch_decode([[token] for token in tokens])
        return [
            {"score": score, "token": token, "token_str": word, "sequence": sequence}
            for score, token, word, sequence in zip(found.scores.tolist(), tokens, words, sequences, strict=True)
        ]

    def _refuse(self, text: str) -> NoReturn:
        mask = self.facts.tokenizer.mask_token
        if mask in text:
            raise InputError(
                f"The {mask} of a text lies beyond the {self.limit} tokens that the model reads, so it cannot be filled. "
                'Shorten what stands before it, or use overflow="window".'
            )
        raise InputError(f"A text has no {mask}, so there is nothing to fill. Put {mask} where the word is missing.")


def prepare(facts: ModelFacts, options: FillMaskOptions) -> MaskFiller:
    """The task for a model with one logit a vocabulary entry for every token."""
    if facts.tokenizer.mask_token_id is None:
        raise TaskError(
            "This model's tokenizer has no mask token, so nothing marks the word to fill in. Choose a model trained with masks."
        )
    limit = token_limit(facts.tokenizer, facts.config, asked=options.max_length)
    return MaskFiller(facts, options, limit, None if options.targets is None else target_ids(options.targets, facts))


def target_ids(targets: str | Sequence[str], facts: ModelFacts) -> np.ndarray:
    """The token ids that the words stand for, each once."""
    if not isinstance(targets, Iterable):
        raise TaskError(f"targets is {targets!r}, but it is a word or a list of words to choose among. Write targets=['good'].")
    words = [targets] if isinstance(targets, str) else list(targets)
    ids = {token for word in words if (token := _target_id(word, facts)) is not None}
    if not ids:
        raise TaskError(
            f"None of the targets {', '.join(map(repr, words)) or '(none given)'} is a token of this model. Give words that are."
        )
    return np.array(sorted(ids))


def _target_id(word: Any, facts: ModelFacts) -> int | None:
    if not isinstance(word, str):
        raise TaskError(f"The target {word!r} is a {type(word).__name__}, but targets are words. Write it as a text.")
    token: int | None = facts.tokenizer.convert_tokens_to_ids(word)
    if token is not None and (token != facts.tokenizer.unk_token_id or word == facts.tokenizer.unk_token):
        return token
    pieces = facts.tokenizer.encode_sequences([word], add_special_tokens=False)[0].ids
    if not pieces:
        warnings.warn(f"The target {word!r} has no token in this model's vocabulary and is left out.", stacklevel=2)
        return None
    first = facts.tokenizer.convert_ids_to_tokens(pieces[0])
    warnings.warn(
        f"The target {word!r} is no single token of this model; its first piece {first!r} is scored instead.", stacklevel=2
    )
    return int(pieces[0])


def _largest(scores: np.ndarray, count: int) -> np.ndarray:
    """The places of the largest scores, largest first, of equal ones the first; without sorting a whole vocabulary."""
    count = min(count, len(scores))
    least = np.partition(scores, len(scores) - count)[len(scores) - count]  # several times as fast as argpartition
    found = np.flatnonzero(~(scores < least))
    return found[np.argsort(-scores[found], kind="stable")][:count]


TASK = Task(
    name="fill-mask",
    summary="the likeliest words for each mask in a text",
    head="masked-lm",
    options=FillMaskOptions,
    prepare=prepare,
    table=SINGLE_TEXTS,
    only_token=lambda tokenizer: tokenizer.mask_token_id,
)
