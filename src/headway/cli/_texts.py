"""What the words of ``headway predict`` mean: a task, a model, texts, files."""

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from headway.errors import ConfigError
from headway.settings.prediction import PredictSettings

SHORT = 5
ALIKE = 0.85
"""Names of tasks of so few letters are words like others; a share of letters that makes a word one of the longer names."""
ALIKE_ENDING = 0.75
"""The same for the endings of files: two letters of three that changed places."""
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


@dataclass(frozen=True)
class Wanted:
    """What to answer, either texts or files, with what."""

    task: str | None
    model: str | None
    texts: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def wanted(settings: PredictSettings) -> Wanted:
    """What the settings' words mean. Texts beside files, or neither, are a ``ConfigError``."""
    found, words = _task_and_model(settings)
    if not words:
        named = f" with {found.task or found.model}" if settings.inputs else ""
        raise ConfigError(
            f'There is nothing to answer{named}. Give texts (headway predict "I love it!") or files (headway predict '
            "reviews.csv --out answers.csv); --task and --model name a task and a model where a text is called like one."
        )
    found = _texts_or_files(found, words)
    if settings.out is not None:
        _check_endings(found.texts)
    return found


def _task_and_model(settings: PredictSettings) -> tuple[Wanted, tuple[str, ...]]:
    """The task or the model that stands before the inputs, if one does, and the inputs."""
    from headway.tasks import task_names

    found, words = Wanted(settings.task, settings.model), settings.inputs
    if not words:
        return found, words
    first, *rest = words
    if settings.task is None and first in task_names(aliases=True):
        return replace(found, task=first), tuple(rest)
    if settings.model is None and _is_model(first, alone=not rest):
        return replace(found, model=first), tuple(rest)
    if settings.task is None and rest and _is_nearly_a_task(first):
        from headway.tasks import task

        task(first)  # which says that there is none, and which there are
    return found, words


def _is_nearly_a_task(word: str) -> bool:
    """Whether a word before inputs is more likely a task with a typing error than a text."""
    from headway.tasks import task_names

    long = [name for name in task_names(aliases=True) if len(name) > SHORT]
    return bool(difflib.get_close_matches(word, long, n=1, cutoff=ALIKE))


def _is_model(word: str, *, alone: bool) -> bool:
    """Whether a word names a model: one that ships, a folder with one, or what looks like a Hub repository before the inputs."""
    from headway.checkpoints.location import shipped_models
    from headway.tables import names_files

    if word in shipped_models() or _is_folder(word, "config.json"):
        return True
    return not alone and HUB_NAME.fullmatch(word) is not None and not os.path.exists(word) and not names_files(word)


def _is_folder(word: str, holding: str = "") -> bool:
    try:
        return os.path.isdir(word) and os.path.exists(os.path.join(word, holding))
    except ValueError:  # a text with a zero byte
        return False


def _texts_or_files(found: Wanted, words: Sequence[str]) -> Wanted:
    from headway.tables import names_files

    files = tuple(word for word in words if names_files(word))
    texts = tuple(word for word in words if word not in files)
    folder = next(filter(_is_folder, texts), None)
    if folder is not None:
        raise ConfigError(
            f"{folder} is a folder without a config.json, so it is no model, and no file either. Name the files in it, as in "
            f"'{os.path.join(folder, '*.csv')}'."
        )
    if texts and files:
        named = words[0] in texts and not re.search(r"\s", words[0])
        no_name = f" {words[0]!r} is no task, no model that ships, and no folder of a model." if named else ""
        raise ConfigError(
            f"Both texts ({texts[0]!r}) and files ({files[0]!r}) are given. Give either, or put the texts into a file.{no_name}"
        )
    return replace(found, texts=texts, files=files)


def _check_endings(texts: Sequence[str]) -> None:
    """Refuse what is more likely a file whose name has a typing error than a text whose answer is to be written."""
    from headway.tables.forms import known_suffixes

    for text in texts:
        ending = "" if re.search(r"\s", text) else os.path.splitext(text)[1].lower()
        if ending and (alike := difflib.get_close_matches(ending, known_suffixes(), n=1, cutoff=ALIKE_ENDING)):
            raise ConfigError(
                f"There is no file {text}, and {ending} is no ending of tables. Did you mean {alike[0]}? If it is a text, leave "
                "--out away and it is answered on the screen, or put it into a file."
            )
