"""Settings of ``headway info``."""

from dataclasses import dataclass, field

from headway.core.config import Config


@dataclass(frozen=True, kw_only=True)
class InfoSettings(Config):
    """What to say about this installation, or about one model."""

    model: str | None = field(default=None, metadata={"positional": True})
    """A folder, a model that ships with Headway, or a Hub repository; without it, the installation is described."""

    revision: str | None = None
    """Branch, tag or commit of a Hub repository."""

    json: bool = False
    """Whether to print JSON instead of a table."""
