"""Token classification: entities in a text, or a label for each of its words, with the answers of transformers' pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np

from headway.errors import TaskError
from headway.tasks.columns import SINGLES, TableForm
from headway.tasks.entities import LabelSet, Rules, Scheme, best_labels, detected
from headway.tasks.entity_inputs import WORD_NAMES, read_call, read_input, text_or_words
from headway.tasks.entity_scorer import EntityScorer
from headway.tasks.entity_targets import learnt_by_all_tokens, word_examples, word_labels, word_options
from headway.tasks.entity_windows import Entity, Reading, merged
from headway.tasks.entity_words import TextTokens, Words, for_split_words, word_scores
from headway.tasks.limits import check_lengths, token_limit, window_stride
from headway.tasks.numbers import softmax
from headway.tasks.table import Column
from headway.tasks.task import Call, Encoded, Evaluation, ModelFacts, Outputs, Task, TaskOptions, Training
from headway.text.encoded import EncodedText

Strategy: TypeAlias = Literal["none", "simple", "first", "average", "max"]

PLACE = (Column("word", "text"), Column("start", "integer"), Column("end", "integer"))
TOKEN = (Column("entity", "text"), Column("score", "number"), Column("index", "integer"), *PLACE)
GROUP = (Column("entity_group", "text"), Column("score", "number"), *PLACE)
WORD = (Column("entity", "text"), Column("score", "number"), *PLACE)


@dataclass(frozen=True, kw_only=True)
class TokenOptions(TaskOptions):
    """How tokens become entities. transformers' old names grouped_entities and ignore_subwords are understood too."""

    aggregation_strategy: Strategy = "none"
    """What gets a label: every token by itself (none), or tokens that belong to one entity together (simple); or every word, by
    its first token, by the average over its tokens or by the token with the largest score, and words of one entity together."""
    ignore_labels: tuple[str, ...] = ("O",)
    """Labels that are no entities: as the model names them where every token gets a label, else without their prefixes."""
    is_split_into_words: bool = False
    """Read lists of words instead of texts."""
    delimiter: str = " "
    """What stands between split words in the text that the answers' places are in."""
    scheme: Literal["auto", "BIO", "IOB1", "BIOES", "IO"] = "auto"
    """How the model's labels mark where an entity begins and ends; by default what their names tell. IOB1 has the names of BIO:
    training tells them apart by the data, and otherwise it has to be said. BILOU is BIOES in other letters."""
    decoding: Literal["argmax", "constrained"] = "argmax"
    """How labels are chosen: the likeliest of each token or word, or those that together are likeliest and keep to the scheme."""
    each_word: bool = False
    """Give every word its label, whatever it is, in place of entities: by its first token, or as aggregation_strategy says."""

    def __post_init__(self) -> None:
        if not isinstance(self.ignore_labels, tuple) or not all(isinstance(label, str) for label in self.ignore_labels):
            raise TaskError(f"ignore_labels is {self.ignore_labels!r}, but it lists names of labels. Use a list such as ['O'].")
        if not isinstance(self.delimiter, str):
            raise TaskError(f"delimiter is {self.delimiter!r}, but it is what stands between words. Use a text such as ' '.")
        if self.merges and (self.aggregation_strategy == "none" or self.each_word):
            raise TaskError(
                "stride by itself joins the entities of overlapping windows, as transformers does, so tokens have to become "
                'entities first. Choose an aggregation_strategy other than "none", or use overflow="window", which joins scores.'
            )

    @property
    def merges(self) -> bool:
        """Whether windows are answered one by one, and overlapping entities merged, as transformers does."""
        return self.stride is not None and self.overflow == "truncate"


@dataclass(frozen=True)
class Tagger:
    """The task made ready for one model."""

    facts: ModelFacts
    options: TokenOptions
    limit: int
    labels: LabelSet
    rules: Rules | None

    @property
    def columns(self) -> tuple[Column, ...]:
        """A list of entities, of tokens or of words."""
        if self.options.each_word:
            return (Column("words", WORD, depth=1),)
        return (Column("entities", TOKEN if self.options.aggregation_strategy == "none" else GROUP, depth=1),)

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """Texts and lists of words as the model reads them; memory is the ``Reading``."""
        inputs = [read_input(item, is_split=self.options.is_split_into_words) for item in items]
        found: dict[int, Encoded] = {}
        for is_split in (False, True):
            places = [place for place, read in enumerate(inputs) if isinstance(read, list) == is_split]
            if places:
                found |= zip(places, self._encoded([inputs[place] for place in places], is_split=is_split), strict=True)
        return [found[place] for place in range(len(inputs))]

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> np.ndarray:
        """The scores of the window's tokens without the frame, (tokens, labels)."""
        return softmax(outputs["logits"][encoded.memory.windows[part].places].astype(np.float32))

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> list[Entity]:
        """The entities in the order of the text."""
        read: Reading = encoded.memory
        stretches = read.joined(parts)
        if self.options.each_word:
            return self._each_word(*stretches[0])
        found = [entity for tokens, scores_TL in stretches for entity in self._entities(tokens, scores_TL)]
        return merged(found) if len(stretches) > 1 else found

    def row(self, answer: Any) -> dict[str, Any]:
        """The list under its name."""
        return {self.columns[0].name: answer}

    def present(self, answers: list[Any], call: Call) -> Any:
        """A list of entities for each input of a list, or for the only one."""
        return answers if call.kind == "list" else answers[0]

    def _encoded(self, inputs: Sequence[Any], *, is_split: bool) -> list[Encoded]:
        tokenizer = self.facts.tokenizer
        if is_split:
            tokenizer = for_split_words(tokenizer, len(tokenizer))
        options = self.options
        in_windows = options.overflow == "window" or options.merges
        found = tokenizer.encode_windows(
            inputs,
            max_length=self.limit,
            stride=window_stride(options.stride, limit=self.limit) if in_windows else 0,
            in_windows=in_windows or options.overflow == "error" or options.count_dropped,
            is_split_into_words=is_split,
        )
        if options.overflow == "error":
            check_lengths([windows[0].source for windows in found], self.limit)
        texts = [Words.joined(words, options.delimiter) if is_split else words for words in inputs]
        return [self._read(text, windows if in_windows else windows[:1]) for text, windows in zip(texts, found, strict=True)]

    def _read(self, text: str | Words, windows: Sequence[EncodedText]) -> Encoded:
        words = text if isinstance(text, Words) else None
        plain = text.text if isinstance(text, Words) else text
        read = tuple(TextTokens(plain, window, self.facts.tokenizer, words) for window in windows)
        joins = len(read) > 1 and not self.options.merges
        whole = TextTokens(plain, EncodedText(windows[0].source), self.facts.tokenizer, words) if joins else None
        dropped = len(windows[0].source) - len(windows[0]) if len(read) == 1 and self.options.count_dropped else 0
        return Encoded(tuple(window.sequence for window in windows), Reading(read, whole), dropped)

    def _entities(self, tokens: TextTokens, scores_TL: np.ndarray) -> list[Entity]:
        """The tokens or groups of a stretch of text that are no ignored label."""
        strategy = self.options.aggregation_strategy
        if strategy in ("none", "simple"):
            units, scores_UL = tokens.each_token, scores_TL
        else:
            units = tokens.each_word
            scores_UL = word_scores(scores_TL, units, strategy=strategy)
        if not units:
            return []
        labels_U = best_labels(scores_UL, self.rules)
        scores_U = scores_UL[np.arange(len(units)), labels_U]
        if strategy == "none":
            return self._tokens(tokens, labels_U, scores_U)
        goes_on = self.labels.goes_on[labels_U[:-1], labels_U[1:]]
        groups = pairwise([0, *(np.flatnonzero(~goes_on) + 1).tolist(), len(units)])
        return [
            {"entity_group": kind, "score": float(scores_U[start:end].mean()), **place}
            for start, end in groups
            if (kind := self.labels.tags[labels_U[start]].kind) not in self.options.ignore_labels
            and (place := self._place(tokens, units[start].first, units[end - 1].last))
        ]

    def _place(self, tokens: TextTokens, first: int, last: int) -> Entity:
        """The word and the place of a group of tokens; empty where they stand for nothing but white space."""
        start, end = tokens.span(first, last)
        if start == end:
            return {}
        pieces = tokens.written[first : last + 1]
        return {"word": self.facts.tokenizer.convert_tokens_to_string(pieces), "start": start, "end": end}

    def _tokens(self, tokens: TextTokens, labels_T: np.ndarray, scores_T: np.ndarray) -> list[Entity]:
        """Each token that is no ignored label."""
        names = [self.labels.names[label] for label in labels_T]
        chosen = [place for place, name in enumerate(names) if name not in self.options.ignore_labels]
        spans = [tokens.span(place, place) for place in chosen]
        return [
            {
                "entity": names[place],
                "score": float(scores_T[place]),
                "index": tokens.source_places[place],
                "word": tokens.written[place],
                "start": start,
                "end": end,
            }
            for place, (start, end) in zip(chosen, spans, strict=True)
        ]

    def _each_word(self, tokens: TextTokens, scores_TL: np.ndarray) -> list[Entity]:
        """A record for each word; one that the model did not read is ``O`` without a score."""
        chosen = self.options.aggregation_strategy
        strategy = chosen if chosen in ("average", "max") else "first"
        units, found = tokens.each_word, {}
        if units:
            scores_UL = word_scores(scores_TL, units, strategy=strategy)
            for unit, label, scores_L in zip(units, best_labels(scores_UL, self.rules), scores_UL, strict=True):
                found[unit] = self.labels.names[label], float(scores_L[label])
        if tokens.words is None:
            return [_word(tokens.text, *tokens.span(unit.first, unit.last), *found[unit]) for unit in units]
        by_number = {unit.word: labelled for unit, labelled in found.items()}
        places = enumerate(zip(tokens.words.starts, tokens.words.ends, strict=True))
        return [_word(tokens.text, start, end, *by_number.get(place, ("O", None))) for place, (start, end) in places]


def _word(text: str, start: int, end: int, label: str, score: float | None) -> Entity:
    return {"entity": label, "score": score, "word": text[start:end], "start": start, "end": end}


def translate(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options of transformers under our names; those that are None there for what is usual are left out."""
    given = dict(values)
    old = [given.pop(name, None) for name in ("grouped_entities", "ignore_subwords")]
    if old != [None, None]:
        groups, whole_words = map(bool, old)
        given["aggregation_strategy"] = ("first" if whole_words else "simple") if groups else "none"
    for name in ("aggregation_strategy", "ignore_labels", "delimiter", "is_split_into_words"):
        if name in given and given[name] is None:
            del given[name]
    strategy = given.get("aggregation_strategy")
    if isinstance(strategy, str):
        given["aggregation_strategy"] = str(getattr(strategy, "value", strategy)).lower()
    return given


def prepare(facts: ModelFacts, options: TokenOptions) -> Tagger:
    """The task for a model with logits for every token."""
    limit = token_limit(facts.tokenizer, facts.config, asked=options.max_length)
    labels = label_set(facts, options)
    return Tagger(facts, options, limit, labels, _rules(labels) if options.decoding == "constrained" else None)


def label_set(facts: ModelFacts, options: TokenOptions) -> LabelSet:
    """The model's labels, read by the scheme that was asked for or that their names tell."""
    names = tuple(facts.config.id2label.values())
    scheme: Scheme = detected(names) if options.scheme == "auto" else options.scheme
    return LabelSet(names, scheme)


def _rules(labels: LabelSet) -> Rules:
    if not labels.rules.free.any():
        raise TaskError(
            f"No text could have labels that keep to {labels.scheme}, because none of the model's ({', '.join(labels.names)}) "
            'may stand alone in it. Name the scheme that the model was trained with, or use decoding="argmax".'
        )
    return labels.rules


def scorer(facts: ModelFacts, options: TokenOptions) -> EntityScorer:
    """The measure for the model's labels."""
    labels = label_set(facts, options)
    return EntityScorer(labels.names, labels.scheme)


TASK = Task(
    name="token-classification",
    aliases=("ner",),
    summary="entities in a text, or a label for each of its words",
    head="token-classification",
    options=TokenOptions,
    prepare=prepare,
    read_call=read_call,
    table=TableForm(roles={"text": (*WORD_NAMES, *SINGLES)}, item=text_or_words),
    translate=translate,
    evaluation=Evaluation(
        table=TableForm(roles={"labels": ("ner_tags", "tags", "labels", "ner", "upos", "pos_tags", "label")}),
        prepare=scorer,
        options={"each_word": True, "is_split_into_words": True},
    ),
    training=Training(examples=word_examples, labels=word_labels, options=word_options, by_all_tokens=learnt_by_all_tokens),
)
