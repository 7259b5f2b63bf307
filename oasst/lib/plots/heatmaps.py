"""Plots of a number for each pair of things: correlations, cohorts, who agrees with whom."""

from collections.abc import Sequence

from oasst.lib.plots import scales
from oasst.lib.plots.parts import Column, Plot, Show, Table, drawing, element, told
from oasst.lib.plots.parts import written as text_at

ROW_PX = 28
STEPS = 5
# With more columns a phone has no room for the numbers.
ROOMY = 5
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
) -> Plot:
    """A cell for each row and column, the darker the farther from 0; minus has another colour.

    `most` is the darkest. Every cell bears its number where there is room, and a pointer is told
    it, with the cell's note. A row may be shorter than the others: half of a symmetric table is
    enough.
    """
    width = 100 / max(len(columns), 1)
    body = "".join(
        text_at(column, f"{(at + 0.5) * width:.2f}%", "-8", "plot-tick")
        for at, column in enumerate(columns)
    )
    for row, cells in enumerate(values):
        y = row * ROW_PX
        body += text_at(names[row], "-8", y + ROW_PX / 2, "plot-name plot-end", dy="0.35em")
        for at, value in enumerate(cells):
            said = f"{names[row]} · {columns[at]}: {'–' if value is None else show(value)}"
            if notes and notes[row][at]:
                said += f" ({notes[row][at]})"
            body += _cell(value, at * width, y, width, most=most, said=said, show=show)
    svg = drawing(name, title, text, body, height=max(len(values), 1) * ROW_PX)
    table = Table(
        (Column(down), *(Column(column) for column in columns)),
        tuple(
            (row_name, *cells, *[""] * (len(columns) - len(cells)))
            for row_name, cells in zip(names, values, strict=True)
        ),
    )
    kind = "heat plot-dense" if len(columns) > ROOMY else "heat"
    return Plot(name, title, text, svg, table, kind=kind)


def step(value: float, most: float) -> int:
    """How dark a cell is: 0 for none, up to `STEPS`; below 0 for what is less than nothing."""
    share = min(abs(value) / most, 1.0) if most else 0.0
    steps = round(share * STEPS)
    return steps if value >= 0 else -steps


def _cell(
    value: float | None, x: float, y: int, width: float, *, most: float, said: str, show: Show
) -> str:
    middle, centre = f"{x + width / 2:.2f}%", y + ROW_PX / 2
    if value is None:
        css, number = "plot-cell plot-none", "·"
    else:
        level = step(value, most)
        sign = "minus" if level < 0 else "plus"
        css = f"plot-cell plot-{sign}-{abs(level)}"
        number = show(value)
    rect = element("rect", css=css, x=f"{x:.2f}%", y=y, width=f"{width:.2f}%", height=ROW_PX)
    return element(
        "g", told(said), rect, text_at(number, middle, centre, "plot-cell-text", dy="0.35em")
    )
