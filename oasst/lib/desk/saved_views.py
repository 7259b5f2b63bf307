"""What of a list's address can be kept as a view, and the views that a person has kept of it.

They belong to the account: `oasst.accounts.saved_views` writes them, its pages save and delete.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from django.contrib.admin.views.main import ORDER_VAR, SEARCH_VAR, ChangeList

# Of the query of an address.
Parameters = list[tuple[str, str]]


@dataclass(frozen=True)
class View:
    """A saved view as the list shows it."""

    id: UUID
    name: str
    query: str  # goes behind the list's own address
    is_whole: bool  # or some of its filters are gone
    is_shown: bool


def kept(changelist: ChangeList) -> Parameters:
    """What the list is searched, filtered and ordered by; no page, nothing that is unknown to it.

    Empty if it is at most ordered: there is nothing to come back to.
    """
    given = ((name, text) for name, texts in changelist.filter_params.items() for text in texts)
    known = _known(given, changelist)
    return known if any(name != ORDER_VAR for name, _text in known) else []


def query_of(parameters: Parameters) -> str:
    """As an address has it."""
    return urlencode(parameters)


def of(person: Any, changelist: ChangeList, now_shown: Parameters) -> list[View]:
    """Everything `person` has kept of the list, by name, beside what it shows. One query."""
    rows = person.saved_views.filter(list_name=changelist.opts.label_lower)
    return [_view(row, changelist, now_shown) for row in rows]


def _view(row: Any, changelist: ChangeList, now_shown: Parameters) -> View:
    saved = parse_qsl(row.query)
    known = _known(saved, changelist)
    return View(
        id=row.pk,
        name=row.name,
        query=query_of(known),
        is_whole=len(known) == len(saved),
        is_shown=bool(known) and known == now_shown,
    )


def _known(parameters: Iterable[tuple[str, str]], changelist: ChangeList) -> Parameters:
    filters = changelist.filter_specs
    names = {name for each in filters for name in each.expected_parameters()}
    names |= {ORDER_VAR, *([SEARCH_VAR] if changelist.search_fields else [])}
    return sorted((name, text) for name, text in parameters if name in names and text.strip())
