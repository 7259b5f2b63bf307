"""Small pieces of the desk's pages and columns: links, times, shortened texts."""

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from oasst.lib.templatetags.ui import ago

NONE = "–"

# A row of facts: what it is, and its value.
Fact = tuple[str, Any]


def page_url(model: Any, pk: Any) -> str:
    """The desk's page of the row with this key; the row need not exist."""
    options = model._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[pk])


def list_url(model: Any, query: str = "") -> str:
    """The desk's list of a model, filtered by a query string."""
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    return f"{url}?{query}" if query else url


def link(url: str, text: Any) -> SafeString:
    """A link within the desk."""
    return format_html('<a class="desk-link" href="{}">{}</a>', url, text)


def row_link(row: Any, text: Any = None) -> SafeString | str:
    """A link to a row's page, or a dash."""
    return NONE if row is None else link(page_url(row, row.pk), text or str(row))


def when(moment: datetime | None) -> SafeString | str:
    """How long ago; the tooltip tells when exactly."""
    return NONE if moment is None else ago(moment)


def share(value: float | None) -> str:
    """A number from 0 to 1; a dash if it is not known."""
    return NONE if value is None else f"{value:.2f}"


def excerpt(text: str, length: int = 90) -> SafeString:
    """The beginning of a text, on one line, in the direction of its own script."""
    short = Truncator(" ".join(text.split())).chars(length) or _("(empty)")
    return format_html('<span dir="auto" class="desk-excerpt">{}</span>', short)
