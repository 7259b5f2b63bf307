"""Plots of amounts: columns with intervals (histograms), and rows that may have parts."""

from collections.abc import Sequence

from oasst.lib.plots import scales
from oasst.lib.plots.parts import (
    Bin,
    Column,
    Key,
    Plot,
    Series,
    Show,
    Table,
    drawing,
    element,
    style,
    told,
)
from oasst.lib.plots.parts import written as text_at
from oasst.lib.plots.scales import Scale

# Heights of a row in pixels: its name, its bar, and both with the space between rows.
NAME_PX, BAR_PX, ROW_PX = 13, 14, 44
GAP = 0.12  # of a column's width, on either side


def columns(
    name: str,
    title: str,
    text: str,
    *,
    across: str,
    unit: str,
    bins: Sequence[Bin],
    up: tuple[float, float] | None = None,
    show: Show = scales.short,
    small: bool = False,
) -> Plot:
    """Columns side by side: a histogram. `small` is for many of them beside each other."""
    heights = [end for one in bins for end in (one.value, one.high) if end is not None]
    most = 3 if small else 5
    scale = scales.between(*up, most=most) if up else scales.around(heights, most=most)
    width = 100 / max(len(bins), 1)
    body = "".join(_column(one, at * width, width, scale, show) for at, one in enumerate(bins))
    below = _ends(bins) if small else _below(bins, width)
    svg = drawing(name, title, text, _levels(scale, show), body, below)
    table = Table.of(across, [one.name for one in bins], [_as_series(unit, bins)])
    return Plot(name, title, text, svg, table, kind="small" if small else "columns")


def rows(
    name: str,
    title: str,
    text: str,
    *,
    across: str,
    names: Sequence[str],
    parts: Sequence[Series],
    notes: Sequence[str] = (),
    show: Show = scales.plain,
) -> Plot:
    """One bar for each name, from top to bottom, made of `parts`; `notes` stand at its end.

    Without notes the sum is shown.
    """
    sums = [sum(part.values[at] or 0 for part in parts) for at in range(len(names))]
    scale = scales.Scale(0, max((*sums, 1e-9)), ())
    body = ""
    for at, row in enumerate(names):
        top = at * ROW_PX
        body += text_at(row, "0", top + NAME_PX, "plot-name plot-start")
        note = notes[at] if notes else show(sums[at])
        body += text_at(note, "100%", top + NAME_PX, "plot-tick plot-end")
        y = top + NAME_PX + 6
        body += element("rect", css="plot-trough", x="0", y=y, width="100%", height=BAR_PX)
        body += _parts(row, parts, at, scale, y, show)
    height = max(len(names) * ROW_PX - (ROW_PX - NAME_PX - 6 - BAR_PX), BAR_PX)
    svg = drawing(name, title, text, body, height=height)
    keys = [Key(part.name, style(at), "area", str(at + 1)) for at, part in enumerate(parts)]
    table = Table.of(across, names, parts)
    return Plot(name, title, text, svg, table, tuple(keys) if len(keys) > 1 else (), kind="rows")


def _parts(row: str, parts: Sequence[Series], at: int, scale: Scale, y: int, show: Show) -> str:
    drawn, left = "", 0.0
    for number, part in enumerate(parts):
        value = part.values[at] or 0
        width = round(scale.place(value), 2)
        if width:
            label = (
                f"{row}, {part.name}: {show(value)}" if len(parts) > 1 else f"{row}: {show(value)}"
            )
            drawn += element(
                "rect",
                told(label),
                css=f"plot-bar {style(number)}",
                x=f"{left:.2f}%",
                y=y,
                width=f"{width}%",
                height=BAR_PX,
            )
            if len(parts) > 1 and width >= 6:
                drawn += text_at(
                    str(number + 1),
                    f"{left + width / 2:.2f}%",
                    y + BAR_PX / 2,
                    "plot-mark",
                    dy="0.35em",
                )
        left += width
    return drawn


def _column(one: Bin, left: float, width: float, scale: Scale, show: Show) -> str:
    x, inner = left + GAP * width, width * (1 - 2 * GAP)
    middle = f"{left + width / 2:.2f}%"
    if one.value is None:
        return text_at("–", middle, "100%", "plot-tick", dy="-0.5em")
    height = scale.place(one.value)
    said = f"{one.name}: {show(one.value)}"
    drawn = ""
    if one.low is not None and one.high is not None:
        said += f" ({show(one.low)} – {show(one.high)})"
        ends = [f"{round(100 - scale.place(end), 2)}%" for end in (one.low, one.high)]
        drawn = element("line", css="plot-interval", x1=middle, x2=middle, y1=ends[0], y2=ends[1])
    if one.count is not None:
        said += f", n = {scales.plain(one.count)}"
    bar = element(
        "rect",
        css=f"plot-bar {style(0)}",
        x=f"{x:.2f}%",
        y=f"{round(100 - height, 2)}%",
        width=f"{inner:.2f}%",
        height=f"{height}%",
    )
    whole = element("rect", x=f"{left:.2f}%", y="0", width=f"{width:.2f}%", height="100%")
    return element("g", told(said), whole, bar, drawn, css="plot-pointer")


def _below(bins: Sequence[Bin], width: float) -> str:
    return "".join(
        text_at(bins[at].name, f"{(at + 0.5) * width:.2f}%", "100%", "plot-tick", dy="1.5em")
        for at in scales.some(len(bins), 6)
    )


def _ends(bins: Sequence[Bin]) -> str:
    """Only the first and the last name, which stay within the picture."""
    first = text_at(bins[0].name, "0", "100%", "plot-tick plot-start", dy="1.5em")
    return first + text_at(bins[-1].name, "100%", "100%", "plot-tick plot-end", dy="1.5em")


def _levels(scale: Scale, show: Show) -> str:
    drawn = ""
    for tick in scale.ticks:
        y = f"{round(100 - scale.place(tick), 2)}%"
        css = "plot-grid plot-zero" if tick == 0 else "plot-grid"
        drawn += element("line", css=css, x1="0", x2="100%", y1=y, y2=y)
        drawn += text_at(show(tick), "-8", y, "plot-tick plot-end", dy="0.35em")
    return drawn


def _as_series(unit: str, bins: Sequence[Bin]) -> Series:
    has_interval = any(one.low is not None for one in bins)
    has_count = any(one.count is not None for one in bins)
    return Series(
        unit,
        [one.value for one in bins],
        low=[one.low for one in bins] if has_interval else (),
        high=[one.high for one in bins] if has_interval else (),
        counts=[one.count for one in bins] if has_count else (),
    )


def together(across: str, plots: Sequence[Plot]) -> Table:
    """One table for plots with the same columns that stand beside each other."""
    columns = plots[0].table.columns if plots else ()
    rows = tuple((plot.title, *row) for plot in plots for row in plot.table.rows)
    return Table((Column(across), *columns), rows)
