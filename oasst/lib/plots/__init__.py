"""Plots as SVG drawn by the server: pure functions from numbers to a `Plot`, with its table.

`{% plot %}` of `{% load plots %}` puts one on a page; `docs/design-system.md` tells how they look.
Colours, fonts and dashes are classes of `static/css/plots.css`, so they follow the theme.
"""

from oasst.lib.plots.bars import columns, rows, together
from oasst.lib.plots.curves import line, stacked
from oasst.lib.plots.files import to_csv
from oasst.lib.plots.heatmaps import heatmap
from oasst.lib.plots.parts import Bin, Column, Key, Plot, Series, Table
from oasst.lib.plots.scales import percent, plain, short

__all__ = [
    "Bin",
    "Column",
    "Key",
    "Plot",
    "Series",
    "Table",
    "columns",
    "heatmap",
    "line",
    "percent",
    "plain",
    "rows",
    "short",
    "stacked",
    "to_csv",
    "together",
]
