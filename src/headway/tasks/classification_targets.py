"""What a classifier of texts learns from a row's label: one label, several, or a number."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from headway.errors import ConfigError, DataError
from headway.tasks.labels import is_nothing, label_index, label_names
from headway.tasks.references import is_regression, label_places, number
from headway.tasks.task import Encoded, Example, Labels, ModelFacts

Target: TypeAlias = int | float | tuple[float, ...]

SINGLE, SEVERAL, NUMBER = "single_label_classification", "multi_label_classification", "regression"
PROBLEMS = (SINGLE, SEVERAL, NUMBER)
DECIMAL = re.compile(r"[+-]?\d+(?:\.(\d*))?(?:[eE][+-]?\d+)?", re.ASCII)
"""A number, and the digits behind its point."""


def text_examples(encoded: Encoded, reference: Mapping[str, Any], facts: ModelFacts) -> list[Example]:
    """The text with its label; of a text in windows each window has it."""
    target = text_target(reference["label"], facts)
    return [Example((sequence,), target) for sequence in encoded.sequences]


def text_target(value: Any, facts: ModelFacts) -> Target:
    """What the model learns: the place of the label, 0 or 1 for each label, or the number."""
    labels, problem = list(facts.config.id2label.values()), facts.config.problem_type
    if is_regression(facts):
        return number(value)
    if problem == SEVERAL or (problem is None and _is_list(value)):
        places = label_places(_plain(value), labels)
        return tuple(float(place in places) for place in range(len(labels)))
    return label_index(value, labels)


def told(target: Any, facts: ModelFacts) -> dict[str, Any]:
    """The reference that has this target."""
    labels = list(facts.config.id2label.values())
    if is_regression(facts):
        return {"label": float(np.squeeze(target))}
    if np.ndim(target):
        return {"label": [label for label, one in zip(labels, target, strict=True) if one]}
    return {"label": labels[int(target)]}


def text_labels(references: Iterable[Mapping[str, Any]], problem: str | None) -> Labels:
    """The labels' names and the problem: a list in a cell means several labels a text, and a fraction means a number."""
    values = [reference["label"] for reference in references]
    if problem is not None and problem not in PROBLEMS:
        raise ConfigError(f"problem_type is {problem!r}, which is not known here. Use {', '.join(PROBLEMS)}.")
    match problem or found_problem(values):
        case "regression":
            return Labels(("LABEL_0",), NUMBER)
        case "multi_label_classification":
            return Labels(_names_of_several(values), SEVERAL)
        case _:
            return Labels(_told_apart(label_names(values)), SINGLE)


def found_problem(values: Iterable[Any]) -> str:
    """What a column of labels is, by its values, which tables of text hold as text."""
    values = [value for value in values if not is_nothing(value) and not (isinstance(value, str) and not value)]
    if any(map(_is_list, values)):
        return SEVERAL
    numbers = [DECIMAL.fullmatch(str(value)) for value in values]
    is_fraction = [found is not None and bool((found[1] or "").strip("0")) for found in numbers]
    return NUMBER if all(numbers) and any(is_fraction) else SINGLE


def _told_apart(names: tuple[str, ...]) -> tuple[str, ...]:
    """The labels, if there is anything to tell apart."""
    if len(names) == 1:
        number = ", or, if it is a number to learn, --problem-type regression" if names[0].isdecimal() else ""
        raise DataError(
            f"Every row has the label {names[0]!r}, so there is nothing to tell apart. Give rows of two labels{number}."
        )
    return names


def _names_of_several(values: Sequence[Any]) -> tuple[str, ...]:
    """The distinct labels; lists of equally many numbers 0 and 1 stand for labels that have no names."""
    lists = [_each(value) for value in values if not is_nothing(value)]
    lengths = {len(one) for one in lists}
    if len(lengths) == 1 and lengths != {1} and all(one in (0, 1) for each in lists for one in each):
        return tuple(f"LABEL_{place}" for place in range(lengths.pop()))
    return label_names(one for each in lists for one in each)


def _each(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part for part in map(str.strip, value.split(",")) if part]
    return list(_plain(value)) if _is_list(value) else [value]


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value
