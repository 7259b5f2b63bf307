"""Filters of the contributor pages: `{% load tasks %}`."""

from django import template
from django.utils.text import Truncator

from oasst.lib.markdown import words
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
    return Truncator(" ".join(words(text[:_ENOUGH]).split())).chars(characters)
