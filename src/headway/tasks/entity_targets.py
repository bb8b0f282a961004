"""What a tagger learns from a row's labels, one for each word: the word's first token has it, and no other token counts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from headway.errors import DataError
from headway.tasks.entities import LETTERS, OUTSIDE, detected, is_iob1
from headway.tasks.entity_scorer import LEFT_OUT, labels_of
from headway.tasks.entity_windows import Reading
from headway.tasks.entity_words import TextTokens
from headway.tasks.labels import is_nothing, label_names
from headway.tasks.task import Encoded, Example, Labels, ModelFacts


def word_examples(encoded: Encoded, reference: Mapping[str, Any], facts: ModelFacts) -> list[Example]:
    """Each window with a target for every token; words beyond the windows are not learnt."""
    reading: Reading = encoded.memory
    names = list(facts.config.id2label.values())
    labels = [word_target(label, names) for label in labels_of(reference["labels"])]
    windows = zip(encoded.sequences, reading.windows, strict=True)
    return [Example((sequence,), token_targets(tokens, labels, count=len(sequence))) for sequence, tokens in windows]


def token_targets(tokens: TextTokens, labels: Sequence[int], *, count: int) -> list[int]:
    """The label of each word at its first token, and elsewhere nothing, (tokens,)."""
    words = 0 if tokens.words is None else len(tokens.words.starts)
    if len(labels) != words:
        raise DataError(
            f"There are {len(labels)} labels for {words} words, but each word has one. Correct the row, or name another column."
        )
    targets = [LEFT_OUT] * count
    for word in tokens.each_word:
        if word.word is not None:
            targets[tokens.places[word.first]] = labels[word.word]
    return targets


def learnt_by_all_tokens(examples: Sequence[Example], encoded: Encoded, facts: ModelFacts, *, inside: bool) -> list[Example]:
    """The examples with each word's label at all of its tokens; ``inside``: behind a B- they have its I-, where there is one."""
    reading: Reading = encoded.memory
    further = _insides(list(facts.config.id2label.values())) if inside else {}
    return [
        Example(example.sequences, _spread(example.target, tokens, further))
        for example, tokens in zip(examples, reading.windows, strict=True)
    ]


def _spread(targets: Sequence[int], tokens: TextTokens, further: Mapping[int, int]) -> list[int]:
    found = list(targets)
    for word in tokens.each_word:
        label = found[tokens.places[word.first]]
        for token in range(word.first + 1, word.last + 1):
            found[tokens.places[token]] = further.get(label, label)
    return found


def _insides(names: Sequence[str]) -> dict[int, int]:
    """For each label of an entity's beginning that of its inside."""
    pairs = {place: f"I{name[1:]}" for place, name in enumerate(names) if name.startswith("B-")}
    return {place: names.index(inside) for place, inside in pairs.items() if inside in names}


def word_target(label: Any, names: Sequence[str]) -> int:
    """The place of a word's label among the names, by name or by number; ``LEFT_OUT`` for a word that does not count."""
    plain = label.item() if hasattr(label, "item") else label
    if is_nothing(plain) or plain == LEFT_OUT:
        return LEFT_OUT
    if isinstance(plain, str) and plain in names:
        return names.index(plain)
    if isinstance(plain, int) and not isinstance(plain, bool) and 0 <= plain < len(names):
        return plain
    raise DataError(
        f"The label {plain!r} is not one of the model's: {', '.join(names)}. Correct or remove the row, or make the model with "
        "all labels of the data: AutoModelForTokenClassification.from_pretrained(…, id2label={…})."
    )


def word_labels(references: Iterable[Mapping[str, Any]], problem: str | None) -> Labels:
    """The names of all words' labels: ``O``, then each kind's ``B-``, ``I-`` …; numbers stand for as many as there are."""
    counted = (
        label
        for reference in references
        if not is_nothing(reference["labels"])
        for label in labels_of(reference["labels"])
        if label != LEFT_OUT
    )
    names = label_names(dict.fromkeys(counted))
    if all(map(str.isdecimal, names)):
        return Labels(tuple(map(str, range(int(names[-1]) + 1))))
    return Labels(tuple(sorted(names, key=_order)))


def word_options(references: Iterable[Mapping[str, Any]], facts: ModelFacts) -> dict[str, Any]:
    """``scheme`` where the labels are those of BIO but written in IOB1, as in the files of CoNLL-2003."""
    names = list(facts.config.id2label.values())
    if detected(names) != "BIO":
        return {}
    rows = (labels_of(reference["labels"]) for reference in references if not is_nothing(reference["labels"]))
    return {"scheme": "IOB1"} if is_iob1([_named(label, names) for label in row] for row in rows) else {}


def _named(label: Any, names: Sequence[str]) -> str:
    place = word_target(label, names)
    return OUTSIDE if place == LEFT_OUT else names[place]


def _order(name: str) -> tuple[bool, str, int]:
    prefix, dash, kind = name.partition("-")
    if not dash or prefix not in LETTERS:
        return name != OUTSIDE, name, 0
    return True, kind, list(LETTERS).index(prefix)
