"""Fill-mask: the likeliest words for each mask in a text, with the answers of transformers' pipeline."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.errors import InputError, TaskError
from headway.tasks.columns import SINGLE_TEXTS
from headway.tasks.inputs import read_text
from headway.tasks.limits import encode_inputs, token_limit
from headway.tasks.numbers import softmax
from headway.tasks.table import Column
from headway.tasks.task import Call, Encoded, ModelFacts, Outputs, Task, TaskOptions, check_count

FILLING = (Column("score", "number"), Column("token", "integer"), Column("token_str", "text"), Column("sequence", "text"))


@dataclass(frozen=True, kw_only=True)
class FillMaskOptions(TaskOptions):
    """How masks are filled."""

    top_k: int = 5
    """How many words to give for each mask, best first."""
    targets: str | tuple[str, ...] | None = None
    """Score only these words. A word that is no single token stands for its first one, and a warning says so."""

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k)


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
        """Texts with masks as the model reads them."""
        texts = [read_text(item) for item in items]
        found = encode_inputs(texts, [None] * len(texts), facts=self.facts, limit=self.limit, options=self.options)
        for text, encoded in zip(texts, found, strict=True):
            self._require_mask(text, encoded.sequences[0].ids)
        return found

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> list[Any]:
        """For each mask its fillings."""
        ids = np.asarray(encoded.sequences[part].ids)
        masks = np.flatnonzero(ids == self.facts.tokenizer.mask_token_id)
        scores_MV = softmax(outputs["logits"][masks].astype(np.float32))
        return [self._fillings(scores_MV[row], ids, int(place), alone=len(masks) == 1) for row, place in enumerate(masks)]

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> list[Any]:
        """For one mask its fillings; for several a list of those."""
        fillings = [found for part in parts for found in part]
        return fillings[0] if len(fillings) == 1 else fillings

    def row(self, answer: Any) -> dict[str, Any]:
        """For each mask its fillings, also where there is one."""
        return {"fillings": [answer] if isinstance(answer[0], Mapping) else answer}

    def present(self, answers: list[Any], call: Call) -> Any:
        """A text's fillings; a list of one text is answered as that text, as transformers does."""
        return answers if call.kind == "list" and len(answers) != 1 else answers[0]

    def _fillings(self, scores_V: np.ndarray, ids: np.ndarray, place: int, *, alone: bool) -> list[dict[str, Any]]:
        words = min(len(scores_V), len(self.facts.tokenizer))  # a model's vocabulary may be rounded up beyond the tokenizer's
        candidates = np.arange(words) if self.targets is None else self.targets
        best = candidates[_largest(scores_V[candidates], self.options.top_k)]
        return [self._filling(int(token), float(scores_V[token]), ids, place, alone=alone) for token in best]

    def _filling(self, token: int, score: float, ids: np.ndarray, place: int, *, alone: bool) -> dict[str, Any]:
        tokenizer, filled = self.facts.tokenizer, ids.copy()
        filled[place] = token
        kept = filled[filled != tokenizer.pad_token_id].tolist()
        sequence = tokenizer.decode(kept, skip_special_tokens=alone)  # where there are several masks, the others stay visible
        return {"score": score, "token": token, "token_str": tokenizer.decode([token]), "sequence": sequence}

    def _require_mask(self, text: str, ids: Sequence[int]) -> None:
        tokenizer = self.facts.tokenizer
        if tokenizer.mask_token_id in ids:
            return
        if tokenizer.mask_token in text:
            raise InputError(
                f"The {tokenizer.mask_token} of a text lies beyond the {self.limit} tokens that the model reads, so it "
                "cannot be filled. Shorten what stands before it."
            )
        raise InputError(
            f"A text has no {tokenizer.mask_token}, so there is nothing to fill. Put {tokenizer.mask_token} where the word "
            "is missing."
        )


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
    token: int | None = facts.tokenizer.get_vocab().get(word)
    if token is not None:
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
    """The places of the largest scores, largest first; without sorting a whole vocabulary."""
    count = min(count, len(scores))
    found = np.argpartition(-scores, count - 1)[:count]
    return found[np.argsort(-scores[found], kind="stable")]


TASK = Task(
    name="fill-mask",
    summary="the likeliest words for each mask in a text",
    head="masked-lm",
    options=FillMaskOptions,
    prepare=prepare,
    table=SINGLE_TEXTS,
)
