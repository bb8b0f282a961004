"""What a question with its choices looks like: in calls, and in the tables of the usual data sets.

SWAG and HellaSwag (a beginning, ``sent1`` and ``sent2``, with endings), RACE (an article and a question with options), COPA (a
premise with two choices), CommonsenseQA, OpenBookQA and ARC (a question with choices that have letters), PIQA.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headway.errors import DataError, InputError
from headway.tasks.columns import TableForm
from headway.tasks.inputs import is_list, read_text

MOST = 10
"""Choices that stand in columns of their own."""
NUMBERED = {
    f"choice{number}": (f"choice{number}", f"ending{number}", f"option{number}", f"answer{number}", f"sol{number}")
    for number in range(MOST)
}
PROMPTS = (
    "prompt",
    "sent1",
    "ctx_a",
    "context",
    "ctx",
    "article",
    "passage",
    "premise",
    "startphrase",
    "goal",
    "question_stem",
    "question",
    "query",
    "text",
    "sentence",
)
BLANK = "_"

TABLE = TableForm(
    roles={
        "prompt": PROMPTS,
        "question": ("question", "sent2", "ctx_b"),
        "choices": ("choices", "options", "endings", "candidates"),
        **NUMBERED,
    },
    optional=frozenset({"question", "choices", *NUMBERED}),
    item=dict,
)
"""A prompt, perhaps a question that stands before each choice, and the choices: in a list, or in columns of their own."""


@dataclass(frozen=True)
class Question:
    """A prompt, its choices, and what the model reads as the second text for each; ``names`` are the letters of named choices."""

    prompt: str
    choices: tuple[str, ...]
    endings: tuple[str, ...]
    names: tuple[str, ...] | None = None


def read_question(item: Any) -> Question:
    """The question in an input; one that cannot be read is an ``InputError``."""
    if not isinstance(item, Mapping):
        said = "None" if item is None else f"a {type(item).__name__}"
        raise InputError(
            f'An input is {said}, where a prompt and its choices belong: {{"prompt": …, "choices": […]}}. Give both, or call '
            "pipe(prompt, choices)."
        )
    try:
        cells = {role: item[column] for role, column in TABLE.find(item).items()}
    except DataError as error:
        raise InputError(f'An input has no prompt ({error}) Write {{"prompt": …, "choices": […]}}.') from error
    names, choices = _choices(cells)
    question = None if cells.get("question") is None else read_text(cells["question"])
    return Question(read_text(cells["prompt"]), choices, tuple(ending(question, choice) for choice in choices), names)


def ending(question: str | None, choice: str) -> str:
    """What stands after the prompt: the choice, in the question's blank or behind it where there is a question."""
    if not question:
        return choice
    return question.replace(BLANK, choice) if BLANK in question else f"{question} {choice}"


def _choices(cells: Mapping[str, Any]) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The choices' names, if they have some, and their texts."""
    names: Any = None
    found: Any = cells.get("choices")
    if isinstance(found, Mapping) and "text" in found:
        names, found = found.get("label"), found["text"]
    if found is None:
        found = [cells[role] for role in NUMBERED if cells.get(role) not in (None, "")]
    elif not is_list(found):
        raise InputError(f"The choices are a {type(found).__name__}, but they are a list of texts. Write choices=['…', '…'].")
    choices = tuple(map(read_text, found))
    if not choices:
        raise InputError("An input has no choices, so there is nothing to choose from. Give at least one: choices=['…', '…'].")
    named = names is not None and len(names) == len(choices)
    return tuple(map(str, names)) if named else None, choices
