"""Plots of a number for each pair of things: correlations, cohorts, who agrees with whom."""

from collections.abc import Sequence
from dataclasses import dataclass

from oasst.lib.plots import scales
from oasst.lib.plots.parts import Column, Plot, Show, Table, drawing, element, told
from oasst.lib.plots.parts import written as text_at

ROW_PX = 28
# Of a row whose cells say how much data they rest on, and how far that stands from the number.
TALL_PX, APART_PX = 40, 8
STEPS = 5
# With more columns a phone has no room for the numbers; with even more, no page but a wide one has,
# and a phone has none for every name above a column.
ROOMY, CROWDED = 5, 13
Values = Sequence[Sequence[float | None]]


def heatmap(
    name: str,
    title: str,
    text: str,
    *,
    down: str,
    names: Sequence[str],
    columns: Sequence[str],
    values: Values,
    most: float = 1.0,
    show: Show = scales.plain,
    notes: Sequence[Sequence[str]] = (),
    counts: Sequence[Sequence[int]] = (),
    marks: Sequence[str] = (),
) -> Plot:
    """A cell for each row and column, the darker the farther from 0; minus has another colour.

    `most` is the darkest. Every cell bears its number where there is room, and a pointer is told
    it, with the cell's note. A row may be shorter than the others: half of a symmetric table is
    enough. `counts` are written below the numbers; `marks` stand above the columns whose names
    are too long for that.
    """
    width, height = 100 / max(len(columns), 1), TALL_PX if counts else ROW_PX
    body = _heads(marks or columns, width)
    for row, cells in enumerate(values):
        y = row * height
        body += text_at(names[row], "-8", y + height / 2, "plot-name plot-end", dy="0.35em")
        for at, value in enumerate(cells):
            said = f"{names[row]} · {columns[at]}: {'–' if value is None else show(value)}"
            if notes and notes[row][at]:
                said += f" ({notes[row][at]})"
            count = counts[row][at] if counts else None
            place = Place(at * width, y, width, height)
            body += _cell(value, place, most=most, said=said, show=show, count=count)
    svg = drawing(name, title, text, body, height=max(len(values), 1) * height)
    table = Table(
        (Column(down), *(Column(column) for column in columns)),
        tuple(
            (row_name, *cells, *[""] * (len(columns) - len(cells)))
            for row_name, cells in zip(names, values, strict=True)
        ),
    )
    return Plot(name, title, text, svg, table, kind=_kind(len(columns)))


def _kind(columns: int) -> str:
    if columns > CROWDED:
        return "heat plot-dense plot-crowded"
    return "heat plot-dense" if columns > ROOMY else "heat"


def _heads(columns: Sequence[str], width: float) -> str:
    always = scales.some(len(columns), CROWDED // 2)
    drawn = ""
    for at, column in enumerate(columns):
        is_spare = len(columns) > CROWDED and at not in always
        css = "plot-tick plot-spare" if is_spare else "plot-tick"
        drawn += text_at(column, f"{(at + 0.5) * width:.2f}%", "-8", css)
    return drawn


def step(value: float, most: float) -> int:
    """How dark a cell is: 0 for none, up to `STEPS`; below 0 for what is less than nothing."""
    share = min(abs(value) / most, 1.0) if most else 0.0
    steps = round(share * STEPS)
    return steps if value >= 0 else -steps


@dataclass(frozen=True)
class Place:
    """Where a cell lies: across in percent, down in pixels."""

    x: float
    y: int
    width: float
    height: int


def _cell(
    value: float | None, at: Place, *, most: float, said: str, show: Show, count: int | None
) -> str:
    middle, centre = f"{at.x + at.width / 2:.2f}%", at.y + at.height / 2
    if value is None:
        css, number = "plot-cell plot-none", "·"
    else:
        level = step(value, most)
        sign = "minus" if level < 0 else "plus"
        css = f"plot-cell plot-{sign}-{abs(level)}"
        number = show(value)
    rect = element(
        "rect", css=css, x=f"{at.x:.2f}%", y=at.y, width=f"{at.width:.2f}%", height=at.height
    )
    apart = 0 if count is None else APART_PX
    written = text_at(number, middle, centre - apart, "plot-cell-text", dy="0.35em")
    if count is not None:
        small = "plot-cell-text plot-cell-count"
        written += text_at(scales.short(count), middle, centre + apart, small, dy="0.35em")
    return element("g", told(said), rect, written)
