"""Reviews against accuracy over the thresholds of adaptive overlap, as SVG for light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, HEIGHT, EDGE, LEGEND = 640, 380, 52, 30
SHOWN = {
    "spammers_0": ("no spammers", "#059669"),
    "spammers_10": ("10 % spammers", "#2563eb"),
    "spammers_30": ("30 % spammers", "#d97706"),
}
ACROSS, UP = (2.0, 4.5), (0.75, 1.0)
TICKS_ACROSS, TICKS_UP = (2, 2.5, 3, 3.5, 4, 4.5), (0.75, 0.8, 0.85, 0.9, 0.95, 1)
STYLE = (
    "<style>svg{color:#1f2937}@media(prefers-color-scheme:dark){svg{color:#e5e7eb}}"
    "text{font:13px system-ui,sans-serif;fill:currentColor}"
    ".axis{stroke:currentColor;stroke-opacity:.25}"
    "polyline{fill:none;stroke-width:2}</style>"
)
Point = tuple[float, float]


def svg(figures: Mapping[str, Any]) -> str:
    """A line for each share of spammers; the square is the majority of three."""
    rows = {"spammers_30": figures, **figures["conditions"]}
    body = _axes()
    for number, (name, (title, colour)) in enumerate(SHOWN.items()):
        body += _curve(rows[name], colour) + _legend(number, title, colour)
    title = "Accuracy of verdicts, by reviews asked for each message"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{title}">{STYLE}<text x="{EDGE}" y="20">{title}</text>{body}</svg>\n'
    )


def _curve(row: Mapping[str, Any], colour: str) -> str:
    points = [(step["reviews"], step["accuracy"]) for step in row["curve"]]
    body = f'<polyline stroke="{colour}" points="{_path(points)}"/>'
    for step, point in zip(row["curve"], points, strict=True):
        x, y = _place(point)
        told = f"threshold {step['threshold']:g}: {point[1]:.1%} right with {point[0]:.2f} reviews"
        body += f'<circle fill="{colour}" cx="{x}" cy="{y}" r="3.5"><title>{told}</title></circle>'
    x, y = _place((row["majority"]["reviews"], row["majority"]["accuracy"]))
    told = f"majority of three: {row['majority']['accuracy']:.1%} right"
    return body + (
        f'<rect fill="{colour}" x="{x - 5}" y="{y - 5}" width="10" height="10">'
        f"<title>{told}</title></rect>"
    )


def _axes() -> str:
    body = ""
    for tick in TICKS_UP:
        (left, y), (right, _) = _place((ACROSS[0], tick)), _place((ACROSS[1], tick))
        body += f'<path class="axis" d="M{left} {y}H{right}"/>'
        body += f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{tick:.0%}</text>'
    for tick in TICKS_ACROSS:
        x, y = _place((tick, UP[0]))
        body += f'<text x="{x}" y="{y + 18}" text-anchor="middle">{tick:g}</text>'
    return body


def _legend(number: int, title: str, colour: str) -> str:
    x = EDGE + 150 * number
    y = HEIGHT - LEGEND / 2
    body = f'<rect fill="{colour}" x="{x}" y="{y - 10}" width="10" height="10"/>'
    return body + f'<text x="{x + 16}" y="{y}">{title}</text>'


def _path(points: Sequence[Point]) -> str:
    return " ".join("{},{}".format(*_place(point)) for point in points)


def _place(point: Point) -> Point:
    x = (point[0] - ACROSS[0]) / (ACROSS[1] - ACROSS[0])
    y = (point[1] - UP[0]) / (UP[1] - UP[0])
    floor = HEIGHT - EDGE - LEGEND
    return round(EDGE + x * (WIDTH - EDGE - 20), 1), round(floor - y * (floor - EDGE + 10), 1)
