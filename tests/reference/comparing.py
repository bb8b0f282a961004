"""Answers of a pipeline beside those of another."""

from typing import Any

import pytest


def assert_same(ours: Any, theirs: Any, tolerance: float = 1e-4) -> None:
    """Equal but for rounding: same nesting, keys, order, words."""
    assert type(ours) is type(theirs)
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert_same(our, their, tolerance)
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert_same(ours[name], theirs[name], tolerance)
    elif isinstance(ours, float):
        assert ours == pytest.approx(theirs, abs=tolerance)
    else:
        assert ours == theirs
