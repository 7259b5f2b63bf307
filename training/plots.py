"""Plots of an evaluation as SVG, readable in light and dark, with their numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, EDGE = 480, 300, 48
STYLE = (
    "<style>svg{color:#1f2937}@media(prefers-color-scheme:dark){svg{color:#e5e7eb}}"
    "text{font:12px system-ui,sans-serif;fill:currentColor}"
    ".axis{stroke:currentColor;stroke-opacity:.4}.mark{fill:#2563eb}.line{stroke:#2563eb;"
    "stroke-width:2;fill:none}.guide{stroke:currentColor;stroke-dasharray:4;stroke-opacity:.5}"
    ".interval{stroke:currentColor;stroke-width:2}"
    "</style>"
)
Point = tuple[float, float]


def of_pairs(rows: Sequence[Mapping[str, Any]], found: Mapping[str, Any]) -> dict[str, str]:
    """Name → SVG of what `pair_figures` found."""
    return {
        "calibration": calibration(found["calibration"]),
        "length-gap": shares(
            "Accuracy, by how long the chosen answer is",
            [(row["chosen_is"], row) for row in found["accuracy_by_length_gap"]],
        ),
    }


def of_texts(rows: Sequence[Mapping[str, Any]], found: Mapping[str, Any]) -> dict[str, str]:
    """Name → SVG of what a language model lost on each text."""
    each = [row["loss"] / row["tokens"] for row in rows if row["tokens"]]
    return {"loss": histogram("Loss of held-out answers, nats per token", each)}


def calibration(bins: Sequence[Mapping[str, float]]) -> str:
    """How often the preferred answer was the better one, against how sure the model was."""
    points = [(row["confidence"], row["accuracy"]) for row in bins]
    body = _line([(0.5, 0.5), (1.0, 1.0)], (0.5, 1), (0, 1), css="guide")
    body += _line(points, (0.5, 1), (0, 1), css="line")
    for row, point in zip(bins, points, strict=True):
        x, y = _place(point, (0.5, 1), (0, 1))
        title = f"{row['n']} pairs: {row['accuracy']:.0%} right at {row['confidence']:.0%}"
        body += f'<circle class="mark" cx="{x}" cy="{y}" r="4"><title>{title}</title></circle>'
    return _frame("Calibration: share that was right, by confidence", body, (0.5, 1), (0, 1))


def way(title: str, points: Sequence[Point], names: Sequence[str]) -> str:
    """Points in the order in which they were reached, such as a score and its price in KL."""
    across, up = (_span([x for x, _ in points]), _span([y for _, y in points]))
    body = _line(points, across, up, css="line")
    for point, name in zip(points, names, strict=True):
        x, y = _place(point, across, up)
        title_of = f"{escape(name)}: {point[1]:.3g} at {point[0]:.3g}"
        body += f'<circle class="mark" cx="{x}" cy="{y}" r="4"><title>{title_of}</title></circle>'
    return _frame(title, body, across, up)


def shares(title: str, bars: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Bars from 0 to 1, each with its interval and its number of cases."""
    body = _line([(0, 0.5), (len(bars), 0.5)], (0, len(bars)), (0, 1), css="guide")
    for place, (name, figure) in enumerate(bars):
        if figure["value"] is None or figure["low"] is None:
            continue  # not enough data
        x, top = _place((place + 0.2, figure["value"]), (0, len(bars)), (0, 1))
        right, floor = _place((place + 0.8, 0), (0, len(bars)), (0, 1))
        body += f'<rect class="mark" x="{x}" y="{top}" width="{right - x}" height="{floor - top}"/>'
        middle = place + 0.5
        interval = [(middle, figure["low"]), (middle, figure["high"])]
        body += _line(interval, (0, len(bars)), (0, 1), css="interval")
        told = f"{figure['value']:.2f}, n {figure['n']}"
        for line, text in enumerate((escape(name), told), start=1):
            across = (x + right) / 2
            body += f'<text x="{across}" y="{floor + 16 * line}" text-anchor="middle">{text}</text>'
    return _frame(title, body, None, (0, 1))


def histogram(title: str, values: Sequence[float], *, bins: int = 20) -> str:
    low, high = min(values, default=0.0), max(values, default=1.0)
    width = (high - low) / bins or 1.0
    counts = [0] * bins
    for value in values:
        counts[min(int((value - low) / width), bins - 1)] += 1
    across, up = (low, low + bins * width), (0, max(counts))
    body = ""
    for place, count in enumerate(counts):
        x, top = _place((low + place * width, count), across, up)
        right, floor = _place((low + (place + 1) * width, 0), across, up)
        body += (
            f'<rect class="mark" x="{x}" y="{top}" width="{max(right - x - 1, 1)}" '
            f'height="{floor - top}"><title>{count}</title></rect>'
        )
    return _frame(title, body, across, up)


def _span(values: Sequence[float]) -> Point:
    return min(values), max(values)


def _frame(title: str, body: str, across: Point | None, up: Point) -> str:
    """The axes with the numbers at their ends, and the title that a screen reader says."""
    bottom, right = HEIGHT - EDGE, WIDTH - EDGE
    labels = f'<text x="{EDGE}" y="20">{escape(title)}</text>'
    labels += (
        f'<text x="4" y="{bottom}">{up[0]:.3g}</text><text x="4" y="{EDGE}">{up[1]:.3g}</text>'
    )
    if across is not None:
        labels += f'<text x="{EDGE}" y="{bottom + 16}">{across[0]:.3g}</text>'
        labels += f'<text x="{right}" y="{bottom + 16}" text-anchor="end">{across[1]:.3g}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{STYLE}'
        f'<path class="axis" fill="none" d="M{EDGE} {EDGE}V{bottom}H{right}"/>{body}{labels}</svg>'
    )


def _line(points: Sequence[Point], across: Point, up: Point, *, css: str) -> str:
    places = " ".join("{},{}".format(*_place(point, across, up)) for point in points)
    return f'<polyline class="{css}" points="{places}"/>'


def _place(point: Point, across: Point, up: Point) -> Point:
    """Where a point of the data lies in the picture."""
    x = (point[0] - across[0]) / ((across[1] - across[0]) or 1)
    y = (point[1] - up[0]) / ((up[1] - up[0]) or 1)
    return (
        round(EDGE + x * (WIDTH - 2 * EDGE), 1),
        round(HEIGHT - EDGE - y * (HEIGHT - 2 * EDGE), 1),
    )
