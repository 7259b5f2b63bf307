"""Template tags of plots (docs/design-system.md): `{% load plots %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oasst.lib.plots import Column, Key, Plot, plain
from oasst.lib.plots.parts import Cell, element, words

register = template.Library()
_PARTS = {"low": _("from"), "high": _("to"), "n": _("n")}


@register.inclusion_tag("components/plot.html")
def plot(
    plot: Plot, csv_href: str = "", note: str = "", nothing: str = "", level: int = 3
) -> dict[str, Any]:
    """A plot with title, legend, table and the address of its CSV file.

    `nothing` is said when it has no numbers; `level` is that of its heading.
    """
    return {"plot": plot, "csv_href": csv_href, "note": note, "nothing": nothing, "level": level}


@register.inclusion_tag("components/plot_small.html")
def small_plot(plot: Plot, nothing: str = "") -> dict[str, Any]:
    """One of several plots beside each other; their common table stands below them all."""
    return {"plot": plot, "nothing": nothing}


@register.filter
def picture(plot: Plot) -> SafeString:
    """The SVG of a plot; `oasst.lib.plots` escapes all that it is given."""
    return mark_safe(plot.svg)


@register.filter
def swatch(key: Key) -> SafeString:
    """What a series looks like in the picture, for the legend."""
    if key.shape == "line":
        drawn = element("line", css=f"plot-line {key.style}", x1=1, x2=27, y1=8, y2=8)
    else:
        drawn = element("rect", css=f"plot-bar {key.style}", x=1, y=1, width=26, height=14)
        drawn += element("text", words(key.mark), x=14, y=12)
    return mark_safe(element("svg", drawn, css="plot-key", viewBox="0 0 28 16", aria_hidden="true"))


@register.filter
def heading(column: Column) -> str:
    """What stands above a column of a plot's table."""
    if column.part == "value":
        return str(column.name)
    return gettext("%(series)s: %(part)s") % {"series": column.name, "part": _PARTS[column.part]}


@register.filter
def cell(value: Cell) -> str:
    """What stands in a cell; a dash where there is not enough data."""
    if value is None:
        return "–"
    return value if isinstance(value, str) else plain(value)


@register.filter
def is_number(value: Cell) -> bool:
    return not isinstance(value, str)
