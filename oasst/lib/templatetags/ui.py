"""Template tags of the design system (docs/design-system.md): `{% load ui %}`."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import NaturalTimeFormatter
from django.http import HttpRequest
from django.template.base import FilterExpression, Parser, Token
from django.template.context import Context
from django.template.loader import get_template
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext

from oasst.lib import icons, languages
from oasst.lib.markdown import render
from oasst.lib.search.marks import Piece

register = template.Library()


@register.simple_block_tag
def component(content: str, name: str, **params: Any) -> str:
    """Render templates/components/<name>.html around what stands inside, as `content`."""
    return get_template(f"components/{name}.html").render({**params, "content": content})


@register.simple_tag
def icon(name: str, label: str = "", css_class: str = "") -> SafeString:
    return icons.icon(name, label=label, css_class=css_class)


class IconsOnce(template.Node):
    """A page whose icons are drawn once."""

    def __init__(self, nodelist: template.NodeList) -> None:
        self.nodelist = nodelist

    def render(self, context: Context) -> SafeString:
        with icons.drawn_once() as names:
            page = self.nodelist.render(context)
        return page + icons.sprite(names)


@register.tag
def icons_once(parser: Parser, token: Token) -> IconsOnce:
    """`{% icons_once %}` … `{% endicons_once %}` around the body of a page, then their lines."""
    nodelist = parser.parse(("endicons_once",))
    parser.delete_first_token()
    return IconsOnce(nodelist)


# Stands for an id where a stencil is made; nobody can write it, as each process has its own.
_ANY_ID = uuid.uuid4()


class Stencil(template.Node):
    """A part of a page that is drawn once for each kind of thing, and then only gets its id."""

    def __init__(
        self,
        value: FilterExpression,
        name: str,
        kind: list[FilterExpression],
        nodelist: template.NodeList,
    ) -> None:
        self.value, self.name, self.kind, self.nodelist = value, name, kind, nodelist

    def render(self, context: Context) -> SafeString:
        value = self.value.resolve(context)
        if not isinstance(value, uuid.UUID):
            raise template.TemplateSyntaxError(f"stencil: {self.value} is {value!r}, not a UUID")
        of_page: Any = context.render_context.dicts[0]
        drawn: dict[tuple[Any, ...], str] = of_page.setdefault(self, {})
        kind = tuple(each.resolve(context) for each in self.kind)
        if kind not in drawn:
            with context.push(**{self.name: _ANY_ID}):
                drawn[kind] = self.nodelist.render(context)
        filled = drawn[kind].replace(str(_ANY_ID), str(value))
        return mark_safe(filled)  # noqa: S308 - a UUID in what the template has escaped


@register.tag
def stencil(parser: Parser, token: Token) -> Stencil:
    """`{% stencil card.id as id by card.is_own %}` … `{% endstencil %}`: for what a page has many
    of that differ by nothing but a UUID (`id` within) and by what stands behind `by`, which must
    be hashable. All else within has to be the same wherever the page has it.
    """
    words = token.split_contents()
    if len(words) < 4 or words[2] != "as" or words[4:5] not in ([], ["by"]):
        raise template.TemplateSyntaxError("stencil: {% stencil UUID as NAME by VALUE … %}")
    kind = [parser.compile_filter(word) for word in words[5:]]
    nodelist = parser.parse(("endstencil",))
    parser.delete_first_token()
    return Stencil(parser.compile_filter(words[1]), words[3], kind, nodelist)


@register.simple_tag
def drawing(name: str, label: str = "") -> SafeString:
    return icons.drawing(name, label=label)


@register.simple_tag(takes_context=True)
def nav_href(context: Context, url_name: str, but: str = "") -> SafeString:
    """`href`, and `aria-current` on this page and those below it, for navigation.

    `but` names other pages, between spaces: what lies below them is not below this one.
    """
    url = reverse(url_name)
    others = tuple(reverse(name) for name in but.split())
    request: HttpRequest | None = context.get("request")
    if request is None or not request.path.startswith(url) or request.path.startswith(others):
        return format_html('href="{}"', url)
    current = "page" if request.path == url else "true"
    return format_html('href="{}" aria-current="{}"', url, current)


@register.filter
def markdown(text: str) -> SafeString:
    return render(text)


@register.simple_tag
def ago(moment: datetime, css_class: str = "") -> SafeString:
    """A relative time; hovering shows the absolute one."""
    return format_html(
        '<time{} data-ago datetime="{}" title="{}">{}</time>',
        format_html(' class="{}"', css_class) if css_class else "",
        moment.isoformat(timespec="seconds"),
        absolute_time(moment),
        relative_time(moment, now=timezone.now()),
    )


def absolute_time(moment: datetime) -> str:
    local = timezone.localtime(moment)
    return f"{date_format(local, 'DATETIME_FORMAT')} {local.tzname()}"


def relative_time(moment: datetime, *, now: datetime) -> str:
    """In one unit: "3 hours ago", "in 2 days". Less than a minute either way is "just now"."""
    if abs((now - moment).total_seconds()) < 60:
        return gettext("just now")
    if moment < now:
        span = timesince(moment, now, time_strings=NaturalTimeFormatter.past_substrings, depth=1)
        return gettext("%(span)s ago") % {"span": span}
    later = NaturalTimeFormatter.future_substrings
    return gettext("in %(span)s") % {"span": timeuntil(moment, now, time_strings=later, depth=1)}


@register.filter
def language_name(lang: str) -> str:
    """A language in its own words: "de" → "Deutsch". An unknown code stays as it is."""
    return languages.name(lang)


@register.filter
def duration(span: timedelta) -> str:
    """How long something takes, in the two largest units: `45 s`, `7 min`, `2 h 5 min`."""
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return gettext("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    if minutes:
        return gettext("%(minutes)d min") % {"minutes": minutes + round(seconds / 60)}
    return gettext("%(seconds)d s") % {"seconds": seconds}


@register.filter
def grouped(number: int) -> str:
    """Digits in groups of three with a thin space, the same in every language: 18 204."""
    return f"{number:,}".replace(",", "\u202f")


@register.filter
def marked(pieces: Iterable[Piece]) -> SafeString:
    """The pieces of a text that a search found, one after the other."""
    texts = [format_html("<mark>{}</mark>", it.text) if it.is_marked else it.text for it in pieces]
    return format_html_join("", "{}", ((text,) for text in texts))
