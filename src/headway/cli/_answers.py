"""Answers for the screen."""

import json
from collections.abc import Mapping
from typing import Any


def shown(item: Any, answer: Any) -> str:
    """An answer and its text on a line; several answers to one text on as many lines; what is no label or word as JSON."""
    several = answer if isinstance(answer, list) and answer else [answer]
    if all(isinstance(one, Mapping) and {"label", "score"} <= set(one) for one in several):
        return "\n".join(f"{one['label']}  {one['score']:.4f}  {_plain(item)}" for one in several)
    if all(isinstance(one, Mapping) and "token_str" in one for one in several):
        return "\n".join(f"{one['token_str']}  {one['score']:.4f}  {one['sequence']}" for one in several)
    if all(isinstance(one, list) and one and isinstance(one[0], Mapping) and "token_str" in one[0] for one in several):
        return "\n".join(shown(item, one) for one in several)
    return _readable(json.dumps(answer, ensure_ascii=False, default=lambda array: array.tolist()))


def _plain(item: Any) -> str:
    return _readable(" | ".join(str(part) for part in item.values()) if isinstance(item, Mapping) else str(item))


def _readable(text: str) -> str:
    """A text without halves of surrogate pairs, which no screen shows."""
    return text.encode("utf-8", "replace").decode("utf-8")
