"""Settings of a server of models."""

from dataclasses import dataclass

from headway.core.config import Config


@dataclass(frozen=True, kw_only=True)
class Limits(Config):
    """What requests may ask for."""

    max_client_batch_size: int = 32
    """Inputs of one request at most."""
    max_concurrent_requests: int = 512
    """Requests under way at most, over all clients."""
    max_batch_tokens: int = 16384
    """Tokens of a batch at most, whichever requests they are of."""
