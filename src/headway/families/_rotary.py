"""Which layers see a window, and how fast their rotary positions turn: as transformers 4 spells it, and as 5 does."""

from headway.architecture import ModelConfig, Rotary
from headway.errors import ConfigError

WHOLE, WINDOW = "full_attention", "sliding_attention"


def kinds(config: ModelConfig) -> list[str]:
    """What each layer sees: ``layer_types`` in newer files, or else the whole text every few layers and a window between."""
    count = config.num_hidden_layers
    if config.layer_types is None:
        every = config.global_attn_every_n_layers or count
        return [WINDOW if index % every else WHOLE for index in range(count)]
    found = list(config.layer_types)
    if len(found) != count or not {*found} <= {WHOLE, WINDOW}:
        raise ConfigError(
            f"layer_types is {found} in config.json; it has to say {WHOLE} or {WINDOW} for each of the "
            f"{count} layers. Correct it."
        )
    return found


def positions(config: ModelConfig, kind: str) -> Rotary:
    """A layer's rotary positions; the channels of a head turn in pairs."""
    width = config.hidden_size // config.num_attention_heads
    if width % 2:
        raise ConfigError(
            f"hidden_size ({config.hidden_size}) divided by num_attention_heads ({config.num_attention_heads}) is {width}, but "
            "rotary positions turn the channels of a head in pairs. Change one of them, so that it is even."
        )
    return Rotary(theta=theta(config, kind))


def theta(config: ModelConfig, kind: str) -> float:
    """The base of a layer's angles: from ``rope_parameters`` in newer files, or else from a key of its own."""
    if config.rope_parameters is None:
        return float(config.local_rope_theta if kind == WINDOW else config.global_rope_theta)
    found = config.rope_parameters.get(kind) or {}
    if found.get("rope_type", "default") != "default" or "rope_theta" not in found:
        raise ConfigError(
            f"rope_parameters of config.json has {found} for {kind}; supported are rope_type default and a rope_theta, "
            "because scaled rotary positions change every score. Use a checkpoint without scaling."
        )
    return float(found["rope_theta"])
