"""What the page of messages says about a search: addresses, filters to take off, counts."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from oasst.lib import languages
from oasst.lib.search import marks
from oasst.lib.search.syntax import Condition
from tasks_app import reading, search
from tasks_app.enums import Role, Topic
from tasks_app.forms.messages import BrowseForm

if TYPE_CHECKING:
    from oasst.accounts.models import User

_FIELDS = ("q", "lang", "role", "state", "topic", "mine", "sort")


def context(form: BrowseForm, found: search.Found, reader: "User") -> dict[str, Any]:
    """All that the template asks for."""
    asked = form.cleaned_data
    chips = _chips(form, found)
    cards = reading.cards(found.messages, reader)
    return {
        "found": found,
        "cards": cards,
        "results": [{"card": card, "pieces": _excerpt(card, found)} for card in cards],
        "is_mine": asked["mine"],
        "is_filtered": bool(chips or asked["q"]),
        "chips": chips,
        "facets": _facets(form, found),
        "orders": _orders(form) if found.asked.groups else [],
        "more": address(asked, before=found.more) if found.more else "",
        "newest": address(asked) if asked["before"] else "",
    }


def _excerpt(card: reading.Card, found: search.Found) -> list[marks.Piece]:
    """The places that a search found; nothing where the text is shown whole, or not at all."""
    if card.is_hidden or card.message.pk not in found.words:
        return []
    words = found.words[card.message.pk]
    return marks.excerpt(card.message.text, words, found.asked.groups)


def address(asked: dict[str, Any], **changed: Any) -> str:
    """The page for what is asked for, with some of it changed."""
    query = {name: asked[name] for name in _FIELDS} | changed
    query["mine"] = "on" if query["mine"] else ""
    return "?" + urlencode({name: value for name, value in query.items() if value})


def _chips(form: BrowseForm, found: search.Found) -> list[dict[str, str]]:
    """What narrows the list, each with the address of the list without it."""
    asked = form.cleaned_data
    chosen = [
        {"label": _name(field, asked[field]), "url": address(asked, **{field: ""})}
        for field in ("lang", "role", "state", "topic")
        if asked[field]
    ]
    typed = [
        {"label": each.typed, "url": address(asked, q=found.asked.without(each))}
        for each in _distinct(found.asked.conditions)
        if each not in found.misunderstood
    ]
    return chosen + typed


def _distinct(conditions: Iterable[Condition]) -> list[Condition]:
    return list(dict.fromkeys(conditions))


def _facets(form: BrowseForm, found: search.Found) -> list[dict[str, Any]]:
    """Counts by what the list is not narrowed by yet, each with the address that does."""
    asked = form.cleaned_data
    titles = {"lang": _("Language"), "role": _("Role"), "state": _("State")}
    narrowed = {each.field for each in found.asked.conditions} | {n for n in titles if asked[n]}
    return [
        {
            "title": titles[field],
            "values": [
                {
                    "label": _name(field, value),
                    "count": count,
                    "url": address(asked, **{field: value}),
                }
                for value, count in counts.most_common()
                if value in _offered(form, field)
            ],
        }
        for field, counts in found.counts.items()
        if field not in narrowed
    ]


def _offered(form: BrowseForm, field: str) -> set[str]:
    return {value for value, _label in form.fields[field].choices}


def _orders(form: BrowseForm) -> list[dict[str, Any]]:
    asked = form.cleaned_data
    return [
        {"label": label, "url": address(asked, sort=value), "is_on": asked["sort"] == value}
        for value, label in BrowseForm.ORDERS
    ]


def _name(field: str, value: str) -> str:
    if field == "lang":
        return languages.name(value)
    if field == "topic":
        return str(Topic(value).label)
    return str(dict(BrowseForm.STATES)[value] if field == "state" else Role(value).label)
