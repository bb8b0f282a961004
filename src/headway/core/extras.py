"""Optional dependencies, asked for in one way."""

import importlib.util

from headway.errors import missing_extra


def require_torch(purpose: str) -> None:
    """Raise ``MissingExtraError`` with the command to type where torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise missing_extra("torch", extra="train", purpose=purpose)


def require_arrow(purpose: str) -> None:
    """Raise ``MissingExtraError`` with the command to type where pyarrow is not installed."""
    if importlib.util.find_spec("pyarrow") is None:
        raise missing_extra("pyarrow", extra="files", purpose=purpose)


def require_ray(purpose: str) -> None:
    """Raise ``MissingExtraError`` with the command to type where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise missing_extra("ray", extra="ray", purpose=purpose)
