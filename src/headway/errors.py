"""Everything that Headway raises on purpose, as one tree.

Each message says what is wrong, why that matters, and how to mend it. Where a built-in exception is the one that callers
already catch (``ValueError`` for a bad argument, ``FileNotFoundError`` for a missing file), the class is both.
"""


class HeadwayError(Exception):
    """Whatever Headway raises on purpose."""


class ConfigError(HeadwayError, ValueError):
    """A configuration or an argument that cannot mean anything, or not this."""


class InputError(HeadwayError, ValueError):
    """A text, or a list of texts, that cannot be handled."""


class DataError(HeadwayError, ValueError):
    """A data file or data set that does not hold what the task needs."""


class CheckpointError(HeadwayError, OSError):
    """A model folder, Hub repository or file that is missing, incomplete or damaged."""


class WeightError(CheckpointError):
    """A weight that is missing, misshapen or unreadable."""


class TokenizerError(HeadwayError, ValueError):
    """A tokenizer that cannot be loaded, or is not the one that its model was trained with."""


class TaskError(HeadwayError, ValueError):
    """A task that does not exist, or that this model cannot do."""


class EngineError(HeadwayError, RuntimeError):
    """An engine or precision that cannot run this model here."""


class OutOfMemoryError(HeadwayError, MemoryError):
    """Work that does not fit into memory even in the smallest parts."""


class MissingExtraError(HeadwayError, ImportError):
    """An optional dependency that this call needs and that is not installed."""


def missing_extra(module: str, *, extra: str, purpose: str) -> MissingExtraError:
    """The error to raise when an optional dependency is absent."""
    return MissingExtraError(
        f"{purpose} needs the package {module!r}, which is not installed, because a bare install of Headway stays small. "
        f"Install it with: pip install 'headway[{extra}]'."
    )
