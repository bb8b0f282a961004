"""Zero-shot classification: labels that are named in the call, by a model that says whether one text entails another.

Each label makes a sentence, the hypothesis; how surely the text entails it is the label's score. Yin et al., 2019,
arXiv:1909.00161, section 5. The answers are those of transformers' pipeline.

Shapes: W windows of a text, H hypotheses, L candidate labels, K labels of the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from headway.tasks.calls import one_input
from headway.tasks.classification_scorer import LabelScorer, LabelsScorer
from headway.tasks.columns import SINGLE_TEXTS, label_table
from headway.tasks.entailment import Verdicts, verdicts_of
from headway.tasks.hypotheses import Hypotheses, check_template, no_labels, read_labels
from headway.tasks.inputs import read_text
from headway.tasks.labels import is_nothing, label_text
from headway.tasks.limits import check_lengths, token_limit
from headway.tasks.numbers import softmax
from headway.tasks.references import WITHHELD
from headway.tasks.table import LABEL, Column
from headway.tasks.task import Call, Encoded, Evaluation, ModelFacts, Outputs, Scorer, Task, TaskOptions, check_count
from headway.tasks.text_classification import JOINS

if TYPE_CHECKING:
    from headway.text.pairing import Ids, Pairing


@dataclass(frozen=True, kw_only=True)
class ZeroShotOptions(TaskOptions):
    """Which labels there are, and what is asked of each."""

    candidate_labels: str | tuple[str, ...] | None = None
    """The labels to choose from: a list, or one text with commas between them."""
    hypothesis_template: str = "This example is {}."
    """The sentence that a text should entail, with the label in the place of ``{}``."""
    multi_label: bool = False
    """Whether several labels, or none, may be true of a text: each then has a score of its own; else the scores add up to 1."""
    top_k: int | None = None
    """How many labels of each text to give, best first; None for all."""
    join: Literal["mean", "max", "first"] = "mean"
    """What the windows of a long text (``overflow="window"``) give together: for each label the average or the largest of their
    scores, or those of the first."""

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k)
        check_template(self.hypothesis_template)
        read_labels(self.candidate_labels)


@dataclass(frozen=True)
class Memory:
    """A text, and the hypothesis of each candidate label by its place among the different ones."""

    text: str
    places: Sequence[int]


@dataclass(frozen=True)
class ZeroShotClassifier:
    """The task made ready for one model."""

    facts: ModelFacts
    options: ZeroShotOptions
    limit: int
    labels: tuple[str, ...]
    verdicts: Verdicts
    is_multi_label: bool

    @property
    def columns(self) -> tuple[Column, ...]:
        """The labels with their scores, or the best and its score where only that is asked for.

        Without candidate labels a ``TaskError``, so that a long job stops before it begins.
        """
        if not self.labels:
            raise no_labels()
        return LABEL if self.options.top_k == 1 else (Column("labels", LABEL, depth=1),)

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """Each text with each hypothesis as the model reads them."""
        texts = [read_text(item) for item in items]
        pairing = self.facts.tokenizer.pairing(max_length=self.limit)
        hypotheses = Hypotheses.of(self.labels, self.options.hypothesis_template, pairing)
        reads_all = self.options.overflow != "truncate" or self.options.count_dropped
        premises = pairing.ids(texts, most=None if reads_all else pairing.room)
        return [self._encoded(text, ids, hypotheses, pairing) for text, ids in zip(texts, premises, strict=True)]

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> np.ndarray:
        """The logits of a pair, (labels of the model,)."""
        return outputs["logits"].astype(np.float32)

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> dict[str, Any]:
        """The text with its labels, best first, and their scores."""
        text, places = encoded.memory.text, encoded.memory.places
        logits_WHK = np.stack(parts).reshape(-1, max(places) + 1, len(parts[0]))
        scores_L = JOINS[self.options.join](self._scores(logits_WHK[:, places]))
        best = np.argsort(-scores_L, kind="stable")[: self.options.top_k]
        return {"sequence": text, "labels": [self.labels[place] for place in best], "scores": scores_L[best].tolist()}

    def row(self, answer: Any) -> dict[str, Any]:
        """The list of labels and their scores, or the only one."""
        found = [{"label": label, "score": score} for label, score in zip(answer["labels"], answer["scores"], strict=True)]
        return found[0] if self.options.top_k == 1 else {"labels": found}

    def present(self, answers: list[Any], call: Call) -> Any:
        """The answer to a text, or a list of those."""
        return answers if call.kind == "list" else answers[0]

    def _encoded(self, text: str, premise: "Ids", hypotheses: Hypotheses, pairing: "Pairing") -> Encoded:
        pairs = hypotheses.pairs(premise, pairing, overflow=self.options.overflow, stride=self.options.stride)
        sequences = tuple(pairing.join(*pair) for pair in pairs)
        if self.options.overflow == "error":
            check_lengths(sequences, self.limit)
        counts = self.options.count_dropped and self.options.overflow == "truncate"
        dropped = len(premise) - max(len(first) for first, _ in pairs) if counts else 0
        return Encoded(sequences, Memory(text, hypotheses.places), dropped)

    def _scores(self, logits_WLK: np.ndarray) -> np.ndarray:
        """The scores of the labels in each window, (windows, labels)."""
        if self.is_multi_label or len(self.labels) == 1:
            return softmax(logits_WLK[..., [self.verdicts.contradiction, self.verdicts.entailment]])[..., 1]
        return softmax(logits_WLK[..., self.verdicts.entailment])


def prepare(facts: ModelFacts, options: ZeroShotOptions) -> ZeroShotClassifier:
    """The task for a model of natural-language inference."""
    return ZeroShotClassifier(
        facts=facts,
        options=options,
        limit=token_limit(facts.tokenizer, facts.config, asked=options.max_length),
        labels=read_labels(options.candidate_labels),
        verdicts=verdicts_of(facts.config),
        is_multi_label=bool(options.multi_label),
    )


def read_call(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """``sequences`` and perhaps ``candidate_labels`` by position, everything else by name."""
    options = dict(named)
    if len(arguments) == 2 and "candidate_labels" not in options:
        inputs, options["candidate_labels"] = arguments
        arguments = (inputs,)
    if not arguments and "sequences" in options:
        options["inputs"] = options.pop("sequences")
    if "multi_label" in options:
        options.setdefault("multi_class", None)  # what the call says wins over what the pipeline was given under the old name
    return one_input(arguments, options)


def translate(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options under their names of today, ``multi_label`` was ``multi_class`` once, and labels of any collection as a tuple."""
    given = {name: value for name, value in values.items() if name != "multi_class"}
    if not isinstance(given.get("candidate_labels"), str | None):
        given["candidate_labels"] = read_labels(given["candidate_labels"])
    old = values.get("multi_class")
    return given if old is None else {**given, "multi_label": old}


def prepare_scorer(facts: ModelFacts, options: ZeroShotOptions) -> Scorer:
    """The measure of one label a text, or of several, among the candidate labels."""
    labels = tuple(dict.fromkeys(read_labels(options.candidate_labels)))
    if not labels:
        raise no_labels()
    return LabelsScorer(labels, read=scores_by_name) if options.multi_label else LabelScorer(labels, read=scores_by_name)


def scores_by_name(answer: Any) -> dict[str, float]:
    """The score of each label of an answer."""
    return dict(zip(answer["labels"], answer["scores"], strict=True))


def is_withheld(cells: Mapping[str, Any], facts: ModelFacts) -> bool:
    """Whether a row does not tell its label."""
    value = cells["label"]
    return is_nothing(value) or (isinstance(value, str | int | float) and label_text(value) in WITHHELD)


TASK = Task(
    name="zero-shot-classification",
    summary="labels that the call names, for a text",
    head="sequence-classification",
    options=ZeroShotOptions,
    prepare=prepare,
    read_call=read_call,
    table=SINGLE_TEXTS,
    translate=translate,
    evaluation=Evaluation(table=label_table(), prepare=prepare_scorer, options={"top_k": None}, is_withheld=is_withheld),
)
