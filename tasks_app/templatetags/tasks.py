"""Filters of the contributor pages: `{% load tasks %}`."""

import html

from django import template
from django.utils.html import strip_tags
from django.utils.text import Truncator

from oasst.lib.markdown import render
from tasks_app import receipts

register = template.Library()

# More of a text than this never shows in an excerpt, so no more of it is rendered.
_ENOUGH = 1200


@register.filter
def receipt(tags: str) -> receipts.Receipt | None:
    """What was sent, by the tags of the toast that thanks for it."""
    return receipts.read(tags)


@register.filter
def excerpt(text: str, characters: int = 120) -> str:
    """The beginning of a message as plain words, without the marks of Markdown."""
    words = html.unescape(strip_tags(render(text[:_ENOUGH])))
    return Truncator(" ".join(words.split())).chars(characters)
