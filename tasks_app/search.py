"""Searching messages: a page of what is found, how many there are of each sort, what to mark.

Counts, and the order by relevance, are of the newest that were found: a thousand at most.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from oasst.lib import database, keyset
from oasst.lib.errors import DomainError
from oasst.lib.keyset import Cursor
from oasst.lib.languages import LANGUAGES
from oasst.lib.search import sql, syntax
from oasst.lib.search.syntax import Condition
from tasks_app import browsing, search_hits, search_sql
from tasks_app.enums import Role
from tasks_app.models import Message
from tasks_app.querysets import MessageQuerySet
from tasks_app.search_hits import Branch, Hit

if TYPE_CHECKING:
    from oasst.accounts.models import User

MOST_COUNTED = 1_000
# With so many among the newest messages, the words are common: no more are counted.
COMMON = 50
PATIENCE_MS = 2_000
# Whoever wrote a message sees that it was turned down; nobody else sees it at all.
STATES = ("accepted", "review")
OWN_STATES = (*STATES, "rejected")
_SHOWN = ("tree", "parent", "user")


class TooSlow(DomainError):
    """The database gave up on a search."""

    code = "search_too_slow"
    status = 503
    default_message = _(
        "This search takes too long. Add a word, or look in one language or a shorter time."
    )


@dataclass(frozen=True)
class Wanted:
    """What a reader asks for. `words` are as they were typed, with all operators."""

    langs: Sequence[str]  # of the reader
    words: str = ""
    lang: str = ""
    role: str = ""
    state: str = ""
    topic: str = ""
    is_mine: bool = False
    by_relevance: bool = False

    @property
    def conditions(self) -> list[Condition]:
        """What was chosen and not typed."""
        author = "me" if self.is_mine else ""
        chosen = {"lang": self.lang, "role": self.role, "state": self.state, "author": author}
        return [
            Condition(name, value, is_negated=False, typed="")
            for name, value in chosen.items()
            if value
        ]


@dataclass(frozen=True)
class Place:
    """Where a page by relevance ended, among the messages that there were at the first page."""

    until: datetime
    relevance: float
    last: Cursor

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str()` wrote. Raises ValueError."""
        relevance, until, last = text.split("_", 2)
        return cls(Cursor.parse(until).moment, float.fromhex(relevance), Cursor.parse(last))

    def __str__(self) -> str:
        return f"{self.relevance.hex()}_{Cursor(self.until, self.last.id)}_{self.last}"


def place(text: str) -> Cursor | Place:
    """Where a page begins. Raises ValueError."""
    return Place.parse(text) if "_" in text else Cursor.parse(text)


@dataclass
class Found:
    """A page of messages, and what is to be said about all that were found."""

    asked: syntax.Asked
    misunderstood: Sequence[Condition] = ()
    messages: list[Message] = field(default_factory=list)
    more: Cursor | Place | None = None  # where the next page begins
    # Of the first page of a search for words: how many messages by language, role and state.
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    total: int = 0
    is_more: bool = False  # there may be more than were counted
    left_out: Sequence[str] = ()  # words too common to be searched for
    lexemes: dict[str, str] = field(default_factory=dict)  # what is searched for, by language
    words: dict[UUID, list[str]] = field(default_factory=dict)  # of each message, to be marked


def find(
    reader: "User", wanted: Wanted, *, before: Cursor | Place | None = None, now: datetime
) -> Found:
    """A page of messages for a reader. At most five queries. Raises TooSlow."""
    asked = syntax.parse(wanted.words)
    allowed = _allowed([*asked.conditions, *wanted.conditions], wanted.langs)
    found = Found(asked, allowed.misunderstood)
    langs = allowed.values.get("lang", list(LANGUAGES) if allowed.is_mine else wanted.langs)
    is_small = allowed.values.get("state") == ["review"]
    rows = browsing.rows(reader, _filter(allowed, wanted, reader), now=now)
    with database.at_most(PATIENCE_MS, TooSlow):
        branches = _branches(found, rows, langs, is_small=is_small)
        if branches and wanted.by_relevance:
            _find_best(found, branches, before if isinstance(before, Place) else None)
        elif branches:
            _find_newest(found, branches, before if isinstance(before, Cursor) else None)
        elif not asked.groups or found.left_out:
            _browse(found, rows, before if isinstance(before, Cursor) else None)
    return found


def _allowed(conditions: Sequence[Condition], langs: Sequence[str]) -> syntax.Conditions:
    is_mine = any(each.field == "author" for each in conditions)
    there = {
        "lang": list(LANGUAGES) if is_mine else langs,
        "role": Role.values,
        "state": OWN_STATES if is_mine else STATES,
    }
    return syntax.combine(conditions, there)


def _filter(allowed: syntax.Conditions, wanted: Wanted, reader: "User") -> browsing.Filter:
    zone = ZoneInfo(reader.time_zone)

    def begin(day: date | None) -> datetime | None:
        return datetime.combine(day, time(), zone) if day else None

    return browsing.Filter(
        langs=allowed.values.get("lang", None if allowed.is_mine else wanted.langs),
        roles=allowed.values.get("role"),
        states=allowed.values.get("state"),
        is_mine=allowed.is_mine,
        topic=wanted.topic,
        since=begin(allowed.after),
        until=begin(allowed.before),
    )


def _branches(
    found: Found, rows: MessageQuerySet, langs: Sequence[str], *, is_small: bool
) -> list[Branch]:
    """What is searched. Nothing if there are no words, or only such as are everywhere."""
    groups = found.asked.groups
    if not groups or not langs:
        return []
    phrases = sql.phrases(groups, langs)
    terms = dict.fromkeys(term.text for group in groups for term in group)
    found.left_out = [
        text for text in terms if not any(phrases.found[lang, text] for lang in langs)
    ]
    found.lexemes = {lang: phrases.lexemes(groups, lang) for lang in langs}
    return search_hits.branches(rows, groups, phrases, langs, is_small=is_small)


def _browse(found: Found, rows: MessageQuerySet, before: Cursor | None) -> None:
    rows = rows.newest_first().select_related(*_SHOWN)
    size = browsing.PAGE_SIZE
    found.messages, found.more = keyset.page(rows, before, "created_at", size=size)


def _find_newest(found: Found, branches: Sequence[Branch], before: Cursor | None) -> None:
    if before:
        later = [branch.but(keyset.older(branch.rows, before, "created_at")) for branch in branches]
        most = browsing.PAGE_SIZE + 1
        hits, _more = search_hits.newest(later, enough=most, most=most)
    else:
        hits, found.is_more = search_hits.newest(branches, enough=COMMON, most=MOST_COUNTED)
        _count(found, hits)
    page = hits[: browsing.PAGE_SIZE]
    _load(found, page)
    if len(hits) > browsing.PAGE_SIZE:
        found.more = Cursor(page[-1].created_at, page[-1].id)


def _find_best(found: Found, branches: Sequence[Branch], before: Place | None) -> None:
    if before:
        until = before.until
        branches = [branch.but(branch.rows.filter(created_at__lte=until)) for branch in branches]
    hits, is_more = search_hits.newest(branches, enough=COMMON, most=MOST_COUNTED, is_ranked=True)
    if before:
        last = (-before.relevance, -before.last.moment.timestamp(), before.last.id.int)
        left = [hit for hit in hits if hit.best_first > last]
    else:
        left, found.is_more = hits, is_more
        _count(found, hits)
    best = sorted(left, key=lambda hit: hit.best_first)
    _load(found, best[: browsing.PAGE_SIZE])
    if len(best) > browsing.PAGE_SIZE:
        until, last_hit = hits[0].created_at, best[browsing.PAGE_SIZE - 1]
        found.more = Place(until, last_hit.relevance, Cursor(last_hit.created_at, last_hit.id))


def _load(found: Found, hits: Sequence[Hit]) -> None:
    """Read the messages of a page, and which of their words were searched for. One query."""
    rows = Message.objects.select_related(*_SHOWN)
    marked = rows.annotate(hits=search_sql.words_of(found.lexemes))
    there: dict[UUID, Any] = marked.in_bulk([hit.id for hit in hits])
    found.messages = [there[hit.id] for hit in hits if hit.id in there]
    found.words = {pk: message.hits or [] for pk, message in there.items()}


def _count(found: Found, hits: Sequence[Hit]) -> None:
    """Count hits by language, role and state."""
    found.total = len(hits)
    found.counts = {
        "lang": Counter(hit.lang for hit in hits),
        "role": Counter(hit.role for hit in hits),
        "state": Counter(hit.state for hit in hits if hit.state),
    }
