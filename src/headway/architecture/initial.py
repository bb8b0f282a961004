"""What the weights of a new model are drawn from."""

import math
import re
from dataclasses import dataclass

from headway.architecture.config import ModelConfig
from headway.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class NewWeights:
    """Matrices and tables are normal with deviation ``std``; biases are zero, norms one, and padding's vectors zero.

    ``cutoff`` is how many deviations from zero the numbers end; None where they do not. ``others`` are patterns of our names,
    each with the deviation of the weights that it finds.
    """

    std: float
    cutoff: float | None = None
    others: tuple[tuple[str, float], ...] = ()

    def std_of(self, name: str) -> float:
        """The deviation of a weight by our name."""
        return next((std for pattern, std in self.others if re.search(pattern, name)), self.std)


def usual(config: ModelConfig) -> NewWeights:
    """As Google published BERT (Devlin et al., 2019), and most others after it."""
    return NewWeights(std=float(config.get("initializer_range", 0.02)))


def scaled_by_depth(config: ModelConfig) -> NewWeights:
    """As ModernBERT began (Warner et al., 2024, arXiv:2412.13663, appendix A.3): cut off, and less where a layer ends.

    Maps back into the residual states have deviations divided by the root of twice the number of layers, as have those before a
    head's last one; that one's is the root of the hidden size, inverted.
    """
    std, cutoff = float(config.initializer_range), config.get("initializer_cutoff_factor", 2.0)
    if cutoff is not None and (isinstance(cutoff, bool) or not isinstance(cutoff, int | float) or cutoff <= 0):
        raise ConfigError(
            f"initializer_cutoff_factor is {cutoff!r} in config.json, but it is a number of deviations, above zero, or null, "
            "which means 3. Correct it; a modernbert model usually has 2.0."
        )
    back = std / math.sqrt(2 * config.num_hidden_layers)
    others = (
        (r"\.(attention\.out|feed_forward\.down)\.weight$", back),
        (r"^(head|pooler)\.dense\.weight$", back),
        (r"^head\.classifier\.weight$", config.hidden_size**-0.5),
    )
    return NewWeights(std=std, cutoff=3.0 if cutoff is None else float(cutoff), others=others)
