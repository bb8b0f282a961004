"""How far a measure might lie from what it would be on other rows of the same kind."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from headway.errors import ConfigError


def intervals(
    table_NK: np.ndarray,
    scores: Callable[[np.ndarray], Mapping[str, float]],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, tuple[float, float]]:
    """Between which values each measure lies in all but the lowest and highest of the resamples, by the measure's name.

    A resample is as many rows as there are, drawn with repetition. No resamples, no intervals. The percentile method of Efron,
    1979, doi:10.1214/aos/1176344552; Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    check(confidence=confidence, resamples=resamples)
    generator, rows = np.random.default_rng(seed), len(table_NK)
    drawn: dict[str, list[float]] = {}
    for _ in _under_bar(range(resamples), shown=progress):
        for name, value in scores(table_NK[generator.integers(0, rows, rows)]).items():
            drawn.setdefault(name, []).append(value)
    outside = (1 - confidence) / 2
    return {name: _between(values, outside) for name, values in drawn.items()}


def check(*, confidence: float, resamples: int) -> None:
    """Refuse what says nothing of intervals, before anything is computed."""
    if not 0 < confidence < 1:
        raise ConfigError(
            f"confidence is {confidence}, but it is the share of resamples inside an interval. Use a number between 0 and 1, "
            "such as 0.95."
        )
    if resamples < 0:
        raise ConfigError(f"resamples is {resamples}, but it counts resamples. Use 1000, or 0 for no intervals.")


def _under_bar(resamples: Iterable[int], *, shown: bool) -> Iterable[int]:
    """A progress bar where it takes longer than a moment, as it does with very many rows."""
    if not shown:
        return resamples
    from tqdm import tqdm

    bar: Iterable[int] = tqdm(resamples, desc="Resampling", delay=2)
    return bar


def _between(values: list[float], outside: float) -> tuple[float, float]:
    low, high = np.quantile(values, [outside, 1 - outside])
    return float(low), float(high)
