"""A run's curves as a picture: loss, learning rate and metrics over steps.

Drawn with Pillow: one small wheel, ready at once, where a plotting library would bring eight and a cache of fonts.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Point: TypeAlias = tuple[float, float]
SIZE, TALL = 900, 240
"""Width of the picture, and height of each of its panels, in points."""
LEFT, RIGHT, TOP, BOTTOM = 78, 150, 30, 34
SCALE = 2
"""Pixels a point: drawn large and made smaller, lines are smooth."""
COLOURS = ("#1f5fbf", "#d1495b", "#2a9d8f", "#8a5fbf", "#b8860b", "#5a5a5a")
INK, GRID = "#333333", "#dddddd"
LEFT_OUT = ("step", "loss", "learning_rate", "grad_norm", "tokens_per_second", "eval_loss")
MOST_METRICS = 4


@dataclass(frozen=True)
class Panel:
    """Lines over the same steps, by name."""

    title: str
    lines: Mapping[str, Sequence[Point]]


def panels(history: Sequence[Mapping[str, Any]]) -> list[Panel]:
    """What there is to draw in a log: loss, learning rate, metrics; only what was measured at least once."""
    metrics = dict.fromkeys(name for entry in history for name in entry if name.startswith("eval_") and name not in LEFT_OUT)
    wanted = {
        "loss": {"training": "loss", "held-out": "eval_loss"},
        "learning rate": {"rate": "learning_rate"},
        "metrics on held-out data": {name.removeprefix("eval_"): name for name in list(metrics)[:MOST_METRICS]},
    }
    found = [
        Panel(title, {said: points for said, name in names.items() if (points := _points(history, name))})
        for title, names in wanted.items()
    ]
    return [panel for panel in found if panel.lines]


def ticks(low: float, high: float, *, most: int = 5) -> list[float]:
    """Round numbers that cover a range: multiples of 1, 2 or 5 times a power of ten."""
    if high <= low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def draw(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the picture as PNG. The log holds something to draw."""
    from PIL import Image

    found = panels(history)
    picture = Image.new("RGB", (SIZE * SCALE, TALL * SCALE * len(found)), "white")
    steps = [point[0] for panel in found for line in panel.lines.values() for point in line]
    for number, panel in enumerate(found):
        _draw_panel(picture, panel, top=number * TALL, across=ticks(min(0.0, *steps), max(steps), most=8))
    picture.resize((SIZE, TALL * len(found)), Image.Resampling.LANCZOS).save(path, format="PNG")


def _points(history: Sequence[Mapping[str, Any]], name: str) -> list[Point]:
    found = [(float(entry["step"]), entry[name]) for entry in history if isinstance(entry.get(name), int | float)]
    return [(step, float(value)) for step, value in found if math.isfinite(value)]


def _draw_panel(picture: Any, panel: Panel, *, top: int, across: Sequence[float]) -> None:
    from PIL import ImageDraw, ImageFont

    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(12 * SCALE)
    values = [value for line in panel.lines.values() for _, value in line]
    up = ticks(min(values), max(values))
    write = lambda x, y, text, **how: pen.text((x * SCALE, y * SCALE), text, font=font, **how)  # noqa: E731
    place = lambda point: (  # noqa: E731
        SCALE * (LEFT + (SIZE - LEFT - RIGHT) * _share(point[0], across)),
        SCALE * (top + TALL - BOTTOM - (TALL - TOP - BOTTOM) * _share(point[1], up)),
    )
    for value in up:
        pen.line([place((across[0], value)), place((across[-1], value))], fill=GRID, width=SCALE)
        write(LEFT - 8, place((0, value))[1] / SCALE, f"{value:.4g}", fill=INK, anchor="rm")
    for step in across:
        write(place((step, 0))[0] / SCALE, top + TALL - BOTTOM + 6, f"{step:,.0f}", fill=INK, anchor="ma")
    write(LEFT, top + 8, panel.title, fill=INK)
    for number, ((name, line), colour) in enumerate(zip(panel.lines.items(), itertools.cycle(COLOURS), strict=False)):
        _draw_line(pen, [place(point) for point in line], colour)
        write(SIZE - RIGHT + 12, top + TOP + 18 * number, name, fill=colour)


def _draw_line(pen: Any, points: Sequence[Point], colour: str) -> None:
    if len(points) > 1:
        pen.line(points, fill=colour, width=2 * SCALE, joint="curve")
    if len(points) <= 50:
        for x, y in points:
            pen.ellipse((x - 3 * SCALE, y - 3 * SCALE, x + 3 * SCALE, y + 3 * SCALE), fill=colour)


def _share(value: float, marks: Sequence[float]) -> float:
    return (value - marks[0]) / (marks[-1] - marks[0])
