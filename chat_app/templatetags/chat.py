"""What the templates of the chat need beyond `ui`."""

import re

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from chat_app.querysets import HIT_BEGINS, HIT_ENDS

register = template.Library()
_HIT = re.compile(f"{HIT_BEGINS}(.*?){HIT_ENDS}", re.DOTALL)


@register.filter
def hits(excerpt: str) -> SafeString:
    """An excerpt of `with_excerpt`, with what was found marked."""
    *pairs, rest = _HIT.split(excerpt)
    marked = zip(pairs[::2], pairs[1::2], strict=True)
    return format_html("{}{}", format_html_join("", "{}<mark>{}</mark>", marked), rest)
