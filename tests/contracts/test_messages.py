"""Errors: one tree, each class used, each message more than a name for the trouble."""

import ast
import inspect
from pathlib import Path

import pytest

import headway
from headway import errors

SOURCE = Path(headway.__file__).parent
TESTS = Path(__file__).parents[1]
CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls is not errors.HeadwayError]


def raised():
    """Each ``raise XError(message)`` in the source, with the fixed parts of its message."""
    names = {cls.__name__ for cls in CLASSES}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names and node.args:
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node.func.id, node.args[0]


def fixed_text(message):
    """What is certain of a message before it is filled in, a mark standing for each value; None where it is made elsewhere."""
    if isinstance(message, ast.Constant) and isinstance(message.value, str):
        return message.value
    if isinstance(message, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "a value…" for part in message.values)
    return None


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_each_error_is_headways_and_says_when_it_is_raised(cls):
    assert issubclass(cls, errors.HeadwayError)
    assert cls.__doc__.endswith(".")
    assert cls.__name__.endswith("Error")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_each_error_is_raised_somewhere_and_read_by_a_test(cls):
    assert cls.__name__ in {name for _, name, _ in raised()}
    assert any(cls.__name__ in path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py") if path != Path(__file__))


def test_messages_are_whole_sentences_that_go_beyond_the_trouble():
    """What is wrong is one clause; why it matters or how to mend it takes another. A value may close a message."""
    texts = [(where, fixed_text(message)) for where, _, message in raised()]
    whole = (".", "…", "?")
    short = [(where, text) for where, text in texts if text is not None and (len(text) < 40 or not text.endswith(whole))]
    assert not short


def test_a_missing_extra_says_what_to_install():
    error = errors.missing_extra("torch", extra="train", purpose="Fine-tuning")
    assert str(error) == (
        "Fine-tuning needs the package 'torch', which is not installed, because a bare install of Headway stays small. "
        "Install it with: pip install 'headway[train]'."
    )
    assert isinstance(error, ImportError)
