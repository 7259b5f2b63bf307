"""The template tags of the design system."""

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context, Engine, Library, Template, TemplateSyntaxError
from django.test import RequestFactory

from oasst.lib import icons
from oasst.lib.templatetags.ui import duration, grouped, language_name, relative_time

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def rendered(source: str, **context: object) -> str:
    return Template("{% load ui %}" + source).render(Context(context))


def test_icons_of_a_page_are_drawn_once() -> None:
    icon = '{% icon "pencil" %}'
    page = rendered(
        "{% icons_once %}" + 3 * icon + '{% icon "x" label="Close" %}{% endicons_once %}'
    )

    assert page.count('<use href="#icon-pencil"/>') == 3
    assert page.count('<symbol id="icon-pencil"') == page.count('<symbol id="icon-x"') == 1
    assert 'role="img" aria-label="Close"><use href="#icon-x"/>' in page
    lines = re.findall(r'<path d="[^"]+"', rendered(icon))
    assert lines
    assert [page.count(line) for line in lines] == [1] * len(lines)


def test_fragment_after_a_page_that_failed_brings_its_icons() -> None:
    with pytest.raises(ValueError, match="no-such-icon"):
        rendered('{% icons_once %}{% icon "no-such-icon" %}{% endicons_once %}')

    assert "<use" not in rendered('{% icon "pencil" %}')


def test_icon_without_label_is_hidden_from_screen_readers() -> None:
    svg = rendered('{% icon "pencil" %}')

    assert svg.startswith('<svg class="icon" ')
    assert 'aria-hidden="true"' in svg
    assert "role=" not in svg


def test_icon_with_label_is_an_image_and_escapes_it() -> None:
    svg = rendered('{% icon "pencil" label=label %}', label='"><script>')

    assert 'role="img" aria-label="&quot;&gt;&lt;script&gt;"' in svg
    assert "aria-hidden" not in svg


@pytest.mark.parametrize("name", ["no-such-icon", "../LICENSE", "Pencil", ""])
def test_unknown_icon_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not the name|is the name right"):
        icons.icon(name)


def test_every_drawing_uses_the_colours_of_the_theme() -> None:
    for file in icons.drawing_folder().glob("*.svg"):
        svg = icons.drawing(file.stem)

        assert 'class="d-' in svg
        assert "stroke=" not in svg
        assert "#" not in svg


def test_component_renders_its_file_around_its_body() -> None:
    source = '{% component "card" title=title %}<p>{{ x }}</p>{% endcomponent %}'

    html = rendered(source, title="A & B", x="<i>")

    assert 'aria-label="A &amp; B"' in html
    assert "<p>&lt;i&gt;</p>" in html


def test_component_sees_nothing_but_its_parameters() -> None:
    html = rendered('{% component "card" %}body{% endcomponent %}', title="from outside")

    assert "from outside" not in html


def test_component_without_end_is_a_syntax_error() -> None:
    with pytest.raises(TemplateSyntaxError, match="component"):
        rendered('{% component "card" %}')


STENCIL = (
    "{% for x in many %}{% stencil x.id as id by x.is_own %}"
    "<b>{{ id }} {{ id }}{% if x.is_own %} own{% endif %} {% count %}</b>"
    "{% endstencil %}{% endfor %}"
)


def drawn(source: str, many: list[dict[str, object]]) -> tuple[str, int]:
    """What a template says of many things, and how often its `count` was drawn."""
    times = []
    library = Library()
    library.simple_tag(lambda: times.append(1) or "", name="count")
    engine = Engine(libraries={"ui": "oasst.lib.templatetags.ui"}, builtins=[])
    engine.template_builtins.append(library)
    html = engine.from_string("{% load ui %}" + source).render(Context({"many": many}))
    return html, len(times)


def test_a_stencil_is_drawn_once_for_each_kind_and_filled_in_for_each_id() -> None:
    ids = [uuid.uuid4() for _ in range(5)]
    many: list[dict[str, object]] = [{"id": each, "is_own": each == ids[2]} for each in ids]

    html, times = drawn(STENCIL, many)

    own = {ids[2]: " own"}
    assert html == "".join(f"<b>{each} {each}{own.get(each, '')} </b>" for each in ids)
    assert times == 2


def test_each_page_draws_its_own_stencils() -> None:
    many: list[dict[str, object]] = [{"id": uuid.uuid4(), "is_own": False}]
    source = STENCIL.replace("{% count %}", "{{ many|length }}")

    first, second = drawn(source, many)[0], drawn(source, many * 2)[0]

    assert " 1</b>" in first
    assert second.count(" 2</b>") == 2


def test_a_stencil_takes_nothing_but_uuids() -> None:
    with pytest.raises(TemplateSyntaxError, match="not a UUID"):
        drawn(STENCIL, [{"id": "<script>", "is_own": False}])


@pytest.mark.parametrize("words", ["", "x.id", "x.id to id", "x.id as id with x.is_own"])
def test_a_stencil_says_what_it_lacks(words: str) -> None:
    with pytest.raises(TemplateSyntaxError, match="stencil UUID as NAME"):
        drawn(f"{{% stencil {words} %}}{{% endstencil %}}", [])


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=-59), "just now"),
        (timedelta(minutes=1), "1\xa0minute ago"),
        (timedelta(hours=3, minutes=59), "3\xa0hours ago"),
        (timedelta(days=15), "2\xa0weeks ago"),
        (timedelta(hours=-47), "in 1\xa0day"),
    ],
)
def test_relative_time_is_said_in_one_unit(ago: timedelta, words: str) -> None:
    assert relative_time(NOW - ago, now=NOW) == words


def test_ago_carries_the_absolute_time() -> None:
    html = rendered("{% ago moment %}", moment=NOW)

    assert 'datetime="2026-11-20T12:00:00+00:00"' in html
    assert 'title="Nov. 20, 2026, noon UTC"' in html


@pytest.mark.parametrize(
    ("lang", "name"),
    [
        ("de", "Deutsch"),
        ("pt-BR", "Português (Brasil)"),
        ("uk-UA", "Українська"),
        ("x-klingon", "x-klingon"),
    ],
)
def test_language_is_named_in_its_own_words(lang: str, name: str) -> None:
    assert language_name(lang) == name


def test_digits_are_grouped_by_a_space_that_does_not_break() -> None:
    assert grouped(18204) == "18\u202f204"
    assert grouped(204) == "204"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/tasks/", 'href="/tasks/" aria-current="page"'),
        ("/tasks/abc/", 'href="/tasks/" aria-current="true"'),
        ("/messages/", 'href="/tasks/"'),
    ],
)
def test_navigation_marks_where_one_is(path: str, expected: str) -> None:
    request = RequestFactory().get(path)

    assert rendered('{% nav_href "tasks:list" %}', request=request) == expected


def test_a_tab_is_not_current_below_another_tab() -> None:
    tab = '{% nav_href "training:runs" but="training:rounds" %}'
    runs = RequestFactory().get("/training/runs/")
    rounds = RequestFactory().get("/training/rounds/first/")

    assert "aria-current" in rendered(tab, request=runs)
    assert "aria-current" not in rendered(tab, request=rounds)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (45, "45 s"), (61, "1 min"), (424, "7 min"), (7500, "2 h 5 min")],
)
def test_a_duration_is_said_in_its_largest_units(seconds: int, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words
