"""What plots are made from and of: series of numbers, a table, elements of SVG. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

Show = Callable[[float], str]
Cell = str | int | float | None
Part = Literal["value", "low", "high", "n"]
# More series than colours would be told apart by nobody.
MOST_SERIES = 7


@dataclass(frozen=True)
class Series:
    """One curve, or one band of a stack. None is a gap: not enough data, or nothing may be said.

    `low` and `high` are the ends of its interval, `counts` how much data each value rests on.
    """

    name: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    counts: Sequence[int | None] = ()

    def columns(self) -> list[tuple["Column", Sequence[Cell]]]:
        """What a table shows of it."""
        parts: list[tuple[Part, Sequence[Cell]]] = [
            ("value", self.values),
            ("low", self.low),
            ("high", self.high),
            ("n", self.counts),
        ]
        return [(Column(self.name, part), cells) for part, cells in parts if cells]


@dataclass(frozen=True)
class Bin:
    """One column or row: a value, perhaps with an interval, and what a pointer is told."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    count: int | None = None


@dataclass(frozen=True)
class Column:
    """Of which series, and which part of it."""

    name: str
    part: Part = "value"


@dataclass(frozen=True)
class Table:
    """The numbers of a plot: what its table shows and its CSV file holds."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    links: tuple[str, ...] = ()  # where the name of each row leads, if anywhere

    @property
    def linked_rows(self) -> list[tuple[tuple[Cell, ...], str]]:
        """The rows, each with its link."""
        return list(zip(self.rows, self.links or [""] * len(self.rows), strict=True))

    @classmethod
    def of(
        cls,
        across: str,
        names: Sequence[str],
        series: Sequence[Series],
        links: Sequence[str] = (),
    ) -> "Table":
        """One row for each point of the axis called `across`."""
        found = [pair for one in series for pair in one.columns()]
        columns = (Column(across), *(column for column, _cells in found))
        cells = [cells for _column, cells in found]
        rows = tuple((name, *each) for name, *each in zip(names, *cells, strict=True))
        return cls(columns, rows, tuple(links))


@dataclass(frozen=True)
class Key:
    """One line of the legend. `style` picks colour and dashes, `mark` stands in the plot."""

    name: str
    style: str
    shape: Literal["line", "area"]
    mark: str = ""


@dataclass(frozen=True)
class Plot:
    """A picture with the numbers it shows. `text` says unit, n and what it is about."""

    name: str  # unique on its page: ids and addresses are made from it
    title: str
    text: str
    svg: str
    table: Table
    keys: tuple[Key, ...] = field(default=())
    kind: str = "curve"  # css class of its frame

    @property
    def is_empty(self) -> bool:
        """True if there is no number to show."""
        return not any(isinstance(cell, int | float) for row in self.table.rows for cell in row)


def element(tag: str, *inside: str, **attributes: object) -> str:
    """One element; `css` stands for class, `_` in names for `-`, texts are escaped here."""
    named = {"class" if key == "css" else _name(key): value for key, value in attributes.items()}
    written = "".join(f' {key}="{escape(str(value))}"' for key, value in named.items())
    return f"<{tag}{written}>{''.join(inside)}</{tag}>"


def _name(key: str) -> str:
    """SVG spells some names in camelCase; those are given as they are."""
    return key if key != key.lower() else key.replace("_", "-")


def words(text: object) -> str:
    """Text between tags."""
    return escape(str(text))


def told(text: object) -> str:
    """What a pointer that rests on an element is told."""
    return element("title", words(text))


def written(text: object, x: object, y: object, css: str, **more: object) -> str:
    """Text in a picture."""
    return element("text", words(text), x=x, y=y, css=css, **more)


def style(number: int) -> str:
    """The class of the series with this number, from 0."""
    return f"series-{number % MOST_SERIES + 1}"


def drawing(
    name: str, title: str, text: str, *inside: str, height: int | None = None, role: str = "img"
) -> str:
    """The whole picture: named and described for those who do not see it.

    One with links is a `group`: nothing inside an `img` is told to those who do not see it.
    """
    more = {} if height is None else {"height": height}
    return element(
        "svg",
        element("title", words(title), id=f"{name}-title"),
        element("desc", words(text), id=f"{name}-text"),
        *inside,
        css="plot-svg",
        role=role,
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-text",
        **more,
    )
