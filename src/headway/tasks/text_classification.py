"""Text classification: one or several labels for a text or a pair of texts, with the answers of transformers' pipeline."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np

from headway.architecture import ModelConfig
from headway.tasks.classification_scorer import scorer_for
from headway.tasks.classification_targets import text_examples, text_labels, told
from headway.tasks.columns import label_table
from headway.tasks.inputs import read_pair
from headway.tasks.limits import encode_inputs, token_limit
from headway.tasks.numbers import identity, sigmoid, softmax
from headway.tasks.references import label_is_untold
from headway.tasks.table import LABEL, Column
from headway.tasks.task import (
    Call,
    Encoded,
    Evaluation,
    ModelFacts,
    Outputs,
    Scorer,
    Task,
    TaskOptions,
    Training,
    check_count,
)

if TYPE_CHECKING:
    from headway.text import Tokenizer

Activation: TypeAlias = Literal["none", "sigmoid", "softmax"]
JOINS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda scores_WL: scores_WL.mean(0),
    "max": lambda scores_WL: scores_WL.max(0),
    "first": lambda scores_WL: scores_WL[0],
}
NO_TEXT = Encoded(())
"""What a text leaves behind, from which its answer needs nothing."""
ACTIVATIONS = {"none": identity, "sigmoid": sigmoid, "softmax": softmax}


@dataclass(frozen=True, kw_only=True)
class ClassificationOptions(TaskOptions):
    """How texts are classified."""

    top_k: int | None = 1
    """How many labels of each text to give, best first; None for all."""
    function_to_apply: Activation | None = None
    """What turns logits into scores; by default what the model's problem_type says: softmax over several labels, sigmoid for
    labels that exclude nothing or for a single one, nothing for a regression."""
    join: Literal["mean", "max", "first"] = "mean"
    """What the windows of a long text (``overflow="window"``) give together: for each label the average or the largest of their
    scores, or those of the first."""

    shorten: Literal["longest_first", "only_first", "only_second"] = "longest_first"
    """Which text of a pair loses its end, or is read in windows, where both together are too long."""
    return_all_scores: bool | None = None
    """An old way to ask for all labels (True), then in the model's order, or for one (False); ``top_k`` wins over it."""

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k)


@dataclass(frozen=True)
class Classifier:
    """The task made ready for one model."""

    facts: ModelFacts
    options: ClassificationOptions
    limit: int
    activation: Activation

    @cached_property
    def names(self) -> Mapping[int, str]:
        """The labels by their place, which the configuration makes anew each time."""
        return self.facts.config.id2label

    @property
    def columns(self) -> tuple[Column, ...]:
        """The best label and its score, or a list of both where several may be asked for."""
        return LABEL if self.options.top_k == 1 else (Column("labels", LABEL, depth=1),)

    def encode(self, items: Sequence[Any]) -> list[Encoded]:
        """Texts and pairs as the model reads them."""
        texts, pairs = zip(*map(read_input, items), strict=True) if items else ((), ())
        how = self.options
        return encode_inputs(texts, pairs, facts=self.facts, limit=self.limit, options=how, strategy=how.shorten)

    def reduce(self, outputs: Outputs, encoded: Encoded, *, part: int) -> np.ndarray:
        """The score of each label, (labels,)."""
        return ACTIVATIONS[self.activation](outputs["logits"].astype(np.float32))

    def decode(self, parts: Sequence[Any], encoded: Encoded) -> list[dict[str, Any]]:
        """The best labels with their scores."""
        scores = (parts[0] if len(parts) == 1 else JOINS[self.options.join](np.stack(parts))).tolist()
        places = range(len(scores))
        best = places if self.options.return_all_scores else sorted(places, key=scores.__getitem__, reverse=True)
        return [{"label": self.names[place], "score": scores[place]} for place in best[: self.options.top_k]]

    def row(self, answer: Any) -> dict[str, Any]:
        """The label and its score, or the list of them."""
        return answer[0] if self.options.top_k == 1 else {"labels": answer}

    def present(self, answers: list[Any], call: Call) -> Any:
        """One label a text as a dict, several as a list; a lone string's single label in a list, as transformers has it."""
        plain = self.options.top_k == 1 and "top_k" not in call.given
        found = [answer[0] for answer in answers] if plain else answers
        if call.kind == "list":
            return found
        wrapped = call.kind == "text" and "top_k" not in call.at_call
        return found if wrapped else found[0]


def read_input(item: Any) -> tuple[str, str | None]:
    """One text or the two of a pair, which may stand in two lists, as transformers once had it."""
    if isinstance(item, list) and len(item) == 1 and isinstance(item[0], list) and len(item[0]) == 2:
        item = dict(zip(("text", "text_pair"), item[0], strict=True))
    return read_pair(item)


def translate(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options of transformers' pipeline in our words: functions in capitals, which text is cut, the old name of ``top_k``."""
    given = dict(values)
    cut = given.get("truncation")
    if (strategy := getattr(cut, "value", cut)) in ("only_first", "only_second"):
        given |= {"truncation": True, "shorten": strategy}
    if given.get("function_to_apply") is not None:
        function = given["function_to_apply"]
        given["function_to_apply"] = str(getattr(function, "value", function)).lower()
    all_of_them = given.pop("return_all_scores", None)
    if all_of_them is not None and "top_k" not in given:
        given |= {"return_all_scores": bool(all_of_them), "top_k": None if all_of_them else 1}
    return given


def prepare(facts: ModelFacts, options: ClassificationOptions) -> Classifier:
    """The task for a model whose logits are one a label."""
    limit = token_limit(facts.tokenizer, facts.config, asked=options.max_length)
    return Classifier(facts, options, limit, options.function_to_apply or default_activation(facts.config))


def prepare_scorer(facts: ModelFacts, options: ClassificationOptions) -> Scorer:
    """The measure that fits the model, for answers with the scores of all labels."""
    return scorer_for(facts, are_probabilities=options.function_to_apply != "none")


def measure_logits(logits_NL: np.ndarray, targets: np.ndarray, config: ModelConfig) -> Mapping[str, float]:
    """The scores of logits, (texts, labels), against targets, (texts,) or (texts, labels), as answers would have them."""
    facts = ModelFacts(tokenizer=cast("Tokenizer", None), config=config)
    classifier = Classifier(facts, ClassificationOptions(top_k=None), 0, default_activation(config))
    scorer = scorer_for(facts)
    answers = (classifier.decode([classifier.reduce({"logits": row}, NO_TEXT, part=0)], NO_TEXT) for row in logits_NL)
    observed = [scorer.observe(answer, told(target, facts)) for answer, target in zip(answers, targets, strict=True)]
    return scorer.scores(scorer.gather(observed))


def default_activation(config: ModelConfig) -> Activation:
    """What the model was trained with, from its ``problem_type``, or else from its number of labels."""
    match config.problem_type:
        case "regression":
            return "none"
        case "multi_label_classification":
            return "sigmoid"
        case _:
            return "sigmoid" if config.num_labels == 1 else "softmax"


TASK = Task(
    name="text-classification",
    aliases=("sentiment-analysis",),
    summary="labels for a text or a pair of texts",
    head="sequence-classification",
    options=ClassificationOptions,
    prepare=prepare,
    translate=translate,
    training=Training(examples=text_examples, labels=text_labels, measure=measure_logits),
    evaluation=Evaluation(table=label_table(), prepare=prepare_scorer, options={"top_k": None}, is_withheld=label_is_untold),
)
