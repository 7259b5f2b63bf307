"""Where plots draw what, what they say of it, and that nothing given to them becomes markup."""

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from django.template import Context, Template

from oasst.lib import plots
from oasst.lib.plots import Bin, Plot, Series, scales
from oasst.lib.plots.curves import path, runs
from oasst.lib.plots.heatmaps import step
from tests.hostile import NAME, TAG, Injections

DAYS = ["1 Nov", "2 Nov", "3 Nov"]
WORDS = {"name": "growth", "title": "Messages", "text": "Messages by day, n = 9"}


def grow(*series: Series, names: list[str] = DAYS, **more: Any) -> Plot:
    return plots.line(**WORDS, across="Day", names=names, series=series, **more)


def pile(*series: Series) -> Plot:
    return plots.stacked(**WORDS, across="Day", names=DAYS, series=series)


def found(plot: Plot, css: str) -> list[ET.Element]:
    """The elements of a class; fails if the picture is no XML."""
    return [one for one in ET.fromstring(plot.svg).iter() if css in one.get("class", "").split()]


def texts(plot: Plot, css: str) -> list[str]:
    return ["".join(one.itertext()) for one in found(plot, css)]


def rendered(plot: Plot, **more: Any) -> str:
    source = "{% load plots %}{% plot plot csv_href=csv_href nothing=nothing %}"
    return Template(source).render(Context({"plot": plot} | more))


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([3, 7, 10], (0, 2.5, 5, 7.5, 10)),
        ([0.03], (0, 0.01, 0.02, 0.03)),
        ([930], (0, 250, 500, 750, 1000)),
        ([-1, 1], (-1, -0.5, 0, 0.5, 1)),
        ([], (0, 0.25, 0.5, 0.75, 1)),
    ],
)
def test_axis_has_round_ticks_and_holds_all_values(values: list[float], ticks: tuple) -> None:
    assert scales.around(values).ticks == ticks


def test_axis_of_whole_things_has_no_half_ticks() -> None:
    assert scales.around([2], whole=True).ticks == (0, 1, 2)
    assert scales.around([0, 0], whole=True).ticks == (0, 1)


def test_scale_places_in_percent_and_never_outside() -> None:
    scale = scales.between(-1, 1)

    assert [scale.place(value) for value in (-1, 0, 0.5, 1, 7)] == [0, 50, 75, 100, 100]
    assert scale.ticks == (-1, -0.5, 0, 0.5, 1)
    assert scales.between(-0.2, 1).ticks == (0, 0.5, 1)


def test_few_of_many_names_are_written_ends_included() -> None:
    assert scales.some(3, 5) == [0, 1, 2]
    assert scales.some(90, 5) == [0, 22, 44, 67, 89]


def test_line_goes_through_its_points() -> None:
    drawn = found(grow(Series("de", [0, 5, 10])), "plot-line")

    assert [one.get("d") for one in drawn] == ["M0 100L50 50L100 0"]
    assert path([(0, 25), (100, 100)]) == "M0 75L100 0"


def test_gap_breaks_a_line_and_is_not_zero() -> None:
    plot = grow(Series("de", [1, None, 2]))

    assert runs([1, None, None, 2, 3]) == [[0], [3, 4]]
    assert found(plot, "plot-line") == []
    assert [one.get("cx") for one in found(plot, "plot-dot")] == ["0.0%", "100.0%"]
    assert "de: –" in texts(plot, "plot-pointer")[1]
    assert plot.table.rows[1] == ("2 Nov", None)


def test_interval_is_a_band_around_the_line() -> None:
    series = Series("α", [0.5, 0.5], low=[0.25, 0.4], high=[0.75, None], counts=[40, 3])
    plot = grow(series, names=DAYS[:2], up=(0, 1), show=plots.plain)

    assert [one.get("d") for one in found(plot, "plot-band")] == ["M0 25L0 75Z"]
    assert "α: 0.5 (0.25 – 0.75), n = 40" in texts(plot, "plot-pointer")[0]
    assert [column.part for column in plot.table.columns] == ["value", "value", "low", "high", "n"]
    assert plot.table.rows[1] == ("2 Nov", 0.5, 0.4, None, 3)


def test_points_lead_where_their_links_say() -> None:
    plot = grow(Series("de", [1, None, 2]), links=["/?a=1&b=2", "", "/c"])
    root, page = ET.fromstring(plot.svg), rendered(plot)

    assert [(one.get("href"), one.get("aria-label")) for one in root.iter("a")] == [
        ("/?a=1&b=2", "1 Nov, de: 1"),
        ("/c", "3 Nov, de: 2"),
    ]
    assert (root.get("role"), len(found(plot, "plot-pointer"))) == ("group", 3)
    assert '<th scope="row"><a href="/?a=1&amp;b=2">1 Nov</a></th>' in page
    assert '<th scope="row">2 Nov</th>' in page
    assert plots.to_csv(plot.table) == "Day,de\n1 Nov,1\n2 Nov,\n3 Nov,2\n"


def test_stack_puts_each_band_on_the_one_before() -> None:
    plot = pile(Series("growing", [1, 1, 2]), Series("ranked", [1, 3, 2]))

    assert [one.get("d") for one in found(plot, "plot-layer")] == [
        "M0 75L50 75L100 50L100 100L50 100L0 100Z",
        "M0 50L50 0L100 0L100 50L50 75L0 75Z",
    ]
    assert texts(plot, "plot-mark") == ["1", "2"]
    assert [(key.name, key.mark) for key in plot.keys] == [("growing", "1"), ("ranked", "2")]


def test_bar_of_parts_fills_the_longest_row() -> None:
    parts = [Series("today", [1, 0]), Series("older", [3, 2])]
    plot = plots.rows(**WORDS, across="Kind", names=["Write", "Rank"], parts=parts)

    bars = [(one.get("x"), one.get("width")) for one in found(plot, "plot-bar")]
    assert bars == [("0.00%", "25.0%"), ("25.00%", "75.0%"), ("0.00%", "50.0%")]
    assert texts(plot, "plot-tick") == ["4", "2"]


def test_columns_show_share_interval_and_n() -> None:
    bins = [Bin("0", 0.25, 0.2, 0.3, 50), Bin("1", None)]
    plot = plots.columns(
        **WORDS, across="Value", unit="share", bins=bins, up=(0, 1), show=plots.percent
    )

    bar, interval = found(plot, "plot-bar"), found(plot, "plot-interval")
    assert [(one.get("y"), one.get("height")) for one in bar] == [("75.0%", "25.0%")]
    assert [(one.get("y1"), one.get("y2")) for one in interval] == [("80.0%", "70.0%")]
    assert "n = 50" in texts(plot, "plot-pointer")[0]


def test_heatmap_tells_more_from_less_by_class_and_number() -> None:
    plot = plots.heatmap(
        **WORDS, down="Label", names=["a", "b"], columns=["1", "2"], values=[[1, -0.5], [None, 0.1]]
    )

    assert [one.get("class") for one in found(plot, "plot-cell")] == [
        "plot-cell plot-plus-5",
        "plot-cell plot-minus-2",
        "plot-cell plot-none",
        "plot-cell plot-plus-0",
    ]
    assert texts(plot, "plot-cell-text") == ["1", "\u22120.5", "·", "0.1"]
    assert step(-0.1, 0.1) == -5


def test_heatmap_of_half_a_table_draws_that_half() -> None:
    plot = plots.heatmap(
        **WORDS, down="Label", names=["a", "b"], columns=["1", "2"], values=[[1], [0.2, 1]]
    )

    assert len(found(plot, "plot-cell")) == 3
    assert plot.table.rows == (("a", 1, ""), ("b", 0.2, 1))


def test_heatmap_writes_counts_below_numbers_and_marks_above_columns() -> None:
    plot = plots.heatmap(
        **WORDS,
        down="Person",
        names=["1 Ann", "2 Ben", "3 Cem"],
        columns=["1 Ann", "2 Ben"],
        marks=["1", "2"],
        values=[[], [0.8], [None, 0.5]],
        counts=[[], [34], [3, 1200]],
        notes=[[], [""], ["not enough data", ""]],
    )

    assert texts(plot, "plot-tick") == ["1", "2"]
    assert texts(plot, "plot-cell-count") == ["34", "3", "1.2k"]
    assert [one.get("height") for one in found(plot, "plot-cell")] == ["40"] * 3
    assert "<title>3 Cem · 1 Ann: – (not enough data)</title>" in plot.svg


def test_heatmap_of_many_columns_names_a_few_where_there_is_little_room() -> None:
    many = [str(number) for number in range(30)]
    crowded = plots.heatmap(**WORDS, down="Person", names=["a"], columns=many, values=[[1] * 30])
    dense = plots.heatmap(**WORDS, down="Day", names=["a"], columns=many[:13], values=[[1] * 13])

    assert (crowded.kind, len(found(crowded, "plot-spare"))) == ("heat plot-dense plot-crowded", 24)
    assert (dense.kind, found(dense, "plot-spare")) == ("heat plot-dense", [])


@pytest.mark.parametrize(
    ("value", "text"), [(0.25, "25\u202f%"), (0.13849, "13.8\u202f%"), (4e-19, "0\u202f%")]
)
def test_share_is_written_as_percent(value: float, text: str) -> None:
    assert plots.percent(value) == text


def test_picture_names_and_describes_itself() -> None:
    root = ET.fromstring(grow(Series("de", [1, 2, 3])).svg)

    named = {one.get("id"): one.text for one in root if one.get("id")}
    assert root.get("role") == "img"
    assert named[root.get("aria-labelledby")] == WORDS["title"]
    assert named[root.get("aria-describedby")] == WORDS["text"]


@pytest.mark.parametrize("text", [TAG, NAME])
def test_words_given_to_a_plot_never_become_markup(text: str) -> None:
    words = {"name": "x", "title": text, "text": text}
    drawn = [
        plots.line(
            **words, across=text, names=[text], series=[Series(text, [1])], links=[f"?{text}"]
        ),
        plots.stacked(**words, across=text, names=[text, text], series=[Series(text, [1, 2])]),
        plots.rows(**words, across=text, names=[text], parts=[Series(text, [1])]),
        plots.columns(**words, across=text, unit=text, bins=[Bin(text, 1)]),
        plots.heatmap(**words, down=text, names=[text], columns=[text], values=[[1]]),
    ]

    for plot in drawn:
        tags = {one.tag for one in ET.fromstring(plot.svg).iter()}
        assert tags <= {"svg", "title", "desc", "g", "line", "rect", "path", "circle", "text", "a"}
        assert Injections(rendered(plot)).found == []


def test_component_shows_legend_table_and_file() -> None:
    two = grow(Series("de", [1, 2, 3]), Series("fr", [1, None, 1234.5]))
    page = rendered(two, csv_href="/stats/growth.csv")

    assert page.count('class="plot-key"') == 2
    assert '<th scope="row">3 Nov</th><td class="num">3</td><td class="num">1\u202f234</td>' in page
    assert '<td class="num">–</td>' in page
    assert 'href="/stats/growth.csv"' in page
    assert "style=" not in page
    assert "plot-keys" not in rendered(grow(Series("de", [1, 2, 3])))


def test_component_without_numbers_says_so_and_draws_nothing() -> None:
    page = rendered(grow(Series("de", [None] * 3)), nothing="Needs 20 labels.")

    assert "Needs 20 labels." in page
    assert "<svg" not in page
    assert "<table" not in page


def test_csv_keeps_gaps_empty_and_runs_no_formula() -> None:
    plot = grow(Series("=1+1", [0.125, None, 3], counts=[8, 0, 9]), names=["-x", "b", "c"])

    assert plots.to_csv(plot.table) == "Day,'=1+1,'=1+1 n\n'-x,0.125,8\nb,,0\nc,3,9\n"
