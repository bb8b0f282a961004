"""How questions and contexts are handed over: in all ways that transformers' pipeline knows, and as SQuAD's own files."""

from collections.abc import Iterable, Iterator, Mapping, Sized
from itertools import zip_longest
from typing import Any

from headway.errors import InputError, TaskError
from headway.tasks.inputs import ADVICE, not_text

ROLES = ("question", "context")
UNDER_NAMES = ("inputs", "data", "X")
"""Names under which transformers takes the inputs as a whole."""
WANTED = 'a question with its context ({"question": …, "context": …})'
PAIR_ADVICE = ' Give one flat list of questions with their contexts, each {"question": …, "context": …}.'
HOW_TO_MEND = {**ADVICE, list: PAIR_ADVICE, tuple: PAIR_ADVICE, str: " Give its other half too.", type(None): " Leave it out."}
_MISSING = object()


def read_call(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The questions with their contexts, and the options, of a pipeline's call.

    ``question=`` and ``context=`` are texts, or lists of them; one text goes with each of a list. Otherwise the inputs are what a
    call's only argument holds: one or many ``{"question": …, "context": …}``, or a SQuAD file's articles.
    """
    options = dict(named)
    wholes = [*arguments, *(options.pop(name) for name in UNDER_NAMES if name in options)]
    parts = {name: options.pop(name) for name in ROLES if name in options}
    if not parts and len(wholes) == 2 and all(isinstance(text, str) for text in wholes):
        parts, wholes = dict(zip(ROLES, wholes, strict=True)), []
    if bool(parts) == bool(wholes) or (parts and len(parts) < 2):
        given = ", ".join([*(f"{name}=" for name in parts), *(f"{len(wholes)} other" for _ in wholes[:1])]) or "nothing"
        raise TaskError(
            f'A call takes question= and context=, or one argument with {{"question": …, "context": …}} or a list of them, but '
            f"{given} was given. Give both texts, and name options: pipe(question=…, context=…, top_k=3)."
        )
    if parts:
        return paired(parts["question"], parts["context"]), options
    return (flat(wholes[0]) if len(wholes) == 1 else wholes), options


def paired(questions: Any, contexts: Any) -> Any:
    """A question with its context, or as many as there are in the lists; a single text goes with each of the other list.

    Lists may be columns of a table, Arrow's too. A generator is read as it is asked for, so that unequal lengths are then found
    at the end.
    """
    questions, contexts = (values.to_pylist() if hasattr(values, "to_pylist") else values for values in (questions, contexts))
    many = [is_many(questions), is_many(contexts)]
    if not any(many):
        return {"question": questions, "context": contexts}
    lengths = {len(values) for values, several in zip((questions, contexts), many, strict=True) if several and _is_sized(values)}
    if len(lengths) > 1:
        raise InputError(
            f"There are {len(questions)} questions for {len(contexts)} contexts, but each has its own in lists of both. Make the "
            "lists equally long, or give one context as a plain text."
        )
    if not all(many):
        alone, several = (contexts, questions) if many[0] else (questions, contexts)
        pairs: Iterable[Any] = ((one, alone) if many[0] else (alone, one) for one in several)
    else:
        pairs = _equally_long(questions, contexts)
    items = ({"question": question, "context": context} for question, context in pairs)
    return list(items) if lengths else items


def _equally_long(questions: Iterable[Any], contexts: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    for question, context in zip_longest(questions, contexts, fillvalue=_MISSING):
        if question is _MISSING or context is _MISSING:
            raise InputError(
                "Questions and contexts do not end together, but each question has its own context in lists of both. Make them "
                "equally long, or give one context as a plain text."
            )
        yield question, context


def is_many(values: Any) -> bool:
    """Whether this is a list or another iterable of texts, not one of them."""
    return isinstance(values, Iterable) and not isinstance(values, str | bytes | bytearray | Mapping)


def _is_sized(values: Any) -> bool:
    return isinstance(values, Sized)


def flat(inputs: Any) -> Any:
    """The questions of a SQuAD file, of its articles or of one of them; anything else as it is."""
    if isinstance(inputs, Mapping) and not set(ROLES) & set(inputs) and {"data", "paragraphs", "qas"} & set(inputs):
        return squad_rows(inputs)
    if isinstance(inputs, list) and inputs and all(isinstance(item, Mapping) and "paragraphs" in item for item in inputs):
        return squad_rows({"data": inputs})
    return inputs


def squad_rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The questions of a SQuAD file, as ``json.load`` reads it, or of an article or paragraph of one: a row for each.

    Rows are as in the data set of that name: id, title, context, question and answers.
    """
    from headway.tables.squad import questions

    for level in ("paragraphs", "data"):
        if level not in document and "data" not in document:
            document = {level: [document]}
    try:
        return list(questions(document))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"This is no SQuAD file: {type(error).__name__} {error} while its articles were read. They are "
            '{"data": [{"paragraphs": [{"context": …, "qas": [{"question": …}]}]}]}.'
        ) from error


def read_question(item: Any) -> tuple[str, str]:
    """A question and its context: a mapping with both, whatever else it holds, or an example as transformers makes them."""
    if isinstance(item, Mapping):
        _require_both(item)
        return _text(item, "question"), _text(item, "context")
    if isinstance(item, str | type) or not (hasattr(item, "question_text") and hasattr(item, "context_text")):
        raise not_text(item, WANTED, advice=HOW_TO_MEND)
    return read_question({"question": item.question_text, "context": item.context_text})


def _require_both(item: Mapping[Any, Any]) -> None:
    if not set(ROLES) <= set(item):
        keys = ", ".join(map(repr, item)) or "none"
        raise InputError(
            f'An input has the keys {keys}, but a question with its context has "question" and "context". Rename or add them.'
        )


def _text(item: Mapping[str, Any], role: str) -> str:
    text = item[role]
    if not isinstance(text, str):
        raise not_text(text, f"the {role} as a text (a string)")
    if not text:
        raise InputError(
            f"A {role} is empty, but a question is answered with words of its context. Leave it out, or add the text."
        )
    return text
