"""Plots over time or any other ordered axis: lines with their intervals, and stacked bands.

Texts, dots and columns are placed in percent, so that only the distances stretch with the page;
curves lie in a picture of 100 by 100 that is stretched to the same size, their strokes are not.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise

from oasst.lib.plots import scales
from oasst.lib.plots.parts import Key, Plot, Series, Show, Table, drawing, element, style, told
from oasst.lib.plots.parts import written as text_at
from oasst.lib.plots.scales import Scale

Points = list[tuple[float, float]]
MOST_NAMES = 5
# A band of a stack bears its mark where it is thickest, if it is at least this share of the height.
THICK = 7.0
# From so few points on each one is marked.
FEW = 16


def line(
    name: str,
    title: str,
    text: str,
    *,
    across: str,
    names: Sequence[str],
    series: Sequence[Series],
    up: tuple[float, float] | None = None,
    show: Show = scales.short,
    whole: bool = False,
    links: Sequence[str] = (),
) -> Plot:
    """Curves over the points `names` of the axis `across`, each with the band of its interval.

    `up` fixes the ends of the other axis; without it, it holds 0 and everything drawn. `links` say
    where each point leads; an empty one leads nowhere.
    """
    scale = scales.between(*up) if up else scales.around(_all(series), whole=whole)
    places = scales.spread(len(names))
    curves = "".join(_curve(one, places, scale, style(at)) for at, one in enumerate(series))
    dots = "".join(_dots(one, places, scale, style(at)) for at, one in enumerate(series))
    svg = drawing(
        name,
        title,
        text,
        _axes(scale, names, places, show),
        _stretched(curves),
        dots,
        _pointers(names, places, series, show, links),
        role="group" if any(links) else "img",
    )
    keys = [Key(one.name, style(at), "line") for at, one in enumerate(series)]
    return Plot(name, title, text, svg, Table.of(across, names, series, links), tuple(keys))


def stacked(
    name: str,
    title: str,
    text: str,
    *,
    across: str,
    names: Sequence[str],
    series: Sequence[Series],
    show: Show = scales.short,
    whole: bool = True,
) -> Plot:
    """Bands on top of each other, the first at the bottom. A gap counts as nothing."""
    bounds = _bounds(series, len(names))
    scale = scales.around(bounds[-1] if bounds else (), whole=whole)
    places = scales.spread(len(names))
    bands, marks = "", ""
    for at, (below, above) in enumerate(pairwise(bounds)):
        low = [scale.place(value) for value in below]
        high = [scale.place(value) for value in above]
        bands += _band(places, low, high, f"plot-layer {style(at)}")
        marks += _mark(str(at + 1), places, low, high)
    svg = drawing(
        name,
        title,
        text,
        _axes(scale, names, places, show),
        _stretched(bands),
        marks,
        _pointers(names, places, series, show),
    )
    keys = [Key(one.name, style(at), "area", str(at + 1)) for at, one in enumerate(series)]
    return Plot(name, title, text, svg, Table.of(across, names, series), tuple(keys))


def _all(series: Sequence[Series]) -> list[float]:
    every = [value for one in series for part in (one.values, one.low, one.high) for value in part]
    return [value for value in every if value is not None]


def _bounds(series: Sequence[Series], points: int) -> list[list[float]]:
    """The line below all bands and the one above each, bottom first."""
    layers = [[value or 0.0 for value in one.values] for one in series]
    return list(
        accumulate(
            layers,
            lambda below, layer: [a + b for a, b in zip(below, layer, strict=True)],
            initial=[0.0] * points,
        )
    )


def runs(values: Sequence[float | None]) -> list[list[int]]:
    """The places of values without a gap between them."""
    found: list[list[int]] = [[]]
    for at, value in enumerate(values):
        if value is not None:
            found[-1].append(at)
        elif found[-1]:
            found.append([])
    return [run for run in found if run]


def path(points: Points) -> str:
    """A path through points in percent, measured from the lower left."""
    return "M" + "L".join(f"{x:g} {round(100 - y, 2):g}" for x, y in points)


def _curve(series: Series, places: Sequence[float], scale: Scale, css: str) -> str:
    drawn = ""
    if series.low and series.high:
        both = [
            None if low is None or high is None else (low, high)
            for low, high in zip(series.low, series.high, strict=True)
        ]
        for run in runs([None if pair is None else 0.0 for pair in both]):
            pairs = [both[at] or (0.0, 0.0) for at in run]
            drawn += _band(
                [places[at] for at in run],
                [scale.place(low) for low, _high in pairs],
                [scale.place(high) for _low, high in pairs],
                f"plot-band {css}",
            )
    for run in runs(series.values):
        points = [(places[at], scale.place(series.values[at] or 0.0)) for at in run]
        if len(points) > 1:
            drawn += element("path", css=f"plot-line {css}", d=path(points))
    return drawn


def _band(xs: Sequence[float], low: Sequence[float], high: Sequence[float], css: str) -> str:
    forth = list(zip(xs, high, strict=True))
    back = list(zip(xs, low, strict=True))[::-1]
    return element("path", css=css, d=f"{path(forth + back)}Z")


def _dots(series: Series, places: Sequence[float], scale: Scale, css: str) -> str:
    """Every value where there are few; where there are many, those that no line reaches."""
    alone = {run[0] for run in runs(series.values) if len(run) == 1}
    drawn = ""
    for at, value in enumerate(series.values):
        if value is not None and (len(places) <= FEW or at in alone):
            y = round(100 - scale.place(value), 2)
            drawn += element("circle", css=f"plot-dot {css}", cx=f"{places[at]}%", cy=f"{y}%", r=3)
    return drawn


def _mark(text: str, places: Sequence[float], low: Sequence[float], high: Sequence[float]) -> str:
    thickness = [above - below for below, above in zip(low, high, strict=True)]
    inner = range(len(places) // 12, len(places) - len(places) // 12)
    at = max(inner, key=thickness.__getitem__, default=None)
    if at is None or thickness[at] < THICK:
        return ""
    y = round(100 - (low[at] + high[at]) / 2, 2)
    return text_at(text, f"{places[at]}%", f"{y}%", "plot-mark", dy="0.35em")


def _axes(scale: Scale, names: Sequence[str], places: Sequence[float], show: Show) -> str:
    drawn = ""
    for tick in scale.ticks:
        y = f"{round(100 - scale.place(tick), 2)}%"
        css = "plot-grid plot-zero" if tick == 0 else "plot-grid"
        drawn += element("line", css=css, x1="0", x2="100%", y1=y, y2=y)
        drawn += text_at(show(tick), "-8", y, "plot-tick plot-end", dy="0.35em")
    for number, at in enumerate(scales.some(len(names), MOST_NAMES)):
        css = "plot-tick" + _side(places[at])
        if number % 2:
            css += " plot-spare"
        drawn += text_at(names[at], f"{places[at]}%", "100%", css, dy="1.5em")
    return drawn


def _side(place: float) -> str:
    """Names at the ends of an axis do not stand out of the picture."""
    if place == 0:
        return " plot-start"
    return " plot-end" if place == 100 else ""


def _stretched(curves: str) -> str:
    return element(
        "svg",
        curves,
        css="plot-area",
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        width="100%",
        height="100%",
    )


def _pointers(
    names: Sequence[str],
    places: Sequence[float],
    series: Sequence[Series],
    show: Show,
    links: Sequence[str] = (),
) -> str:
    """A column for each point: it shows a line and all values when a pointer rests on it.

    Keys do not stop at its link, for they reach the same one in the table.
    """
    half = 50 / max(len(names) - 1, 1)
    drawn = ""
    for at, name in enumerate(names):
        left, right = max(places[at] - half, 0.0), min(places[at] + half, 100.0)
        x, said = f"{places[at]}%", [name, *(_said(one, at, show) for one in series)]
        column = element(
            "g",
            told("\n".join(said)),
            element("rect", x=f"{left:.2f}%", y="0", width=f"{right - left:.2f}%", height="100%"),
            element("line", x1=x, x2=x, y1="0", y2="100%"),
            css="plot-pointer",
        )
        link = links[at] if links else ""
        drawn += _linked(column, link, ", ".join(said)) if link else column
    return drawn


def _linked(drawn: str, href: str, label: str) -> str:
    return element("a", drawn, href=href, tabindex="-1", aria_label=label)


def _said(series: Series, at: int, show: Show) -> str:
    value = series.values[at]
    if value is None:
        return f"{series.name}: –"
    said = f"{series.name}: {scales.plain(value) if show is scales.short else show(value)}"
    if series.low and series.high:
        low, high = series.low[at], series.high[at]
        if low is not None and high is not None:
            said += f" ({show(low)} – {show(high)})"
    if series.counts and series.counts[at] is not None:
        said += f", n = {scales.plain(series.counts[at] or 0)}"
    return said
