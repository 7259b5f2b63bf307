"""Lists that people page through, cut by key so that no page gets slower, and how much waits."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Min, Q, Sum

from tasks_app.enums import REVIEWING_STATES, ContributionKind
from tasks_app.kinds import KINDS, Section
from tasks_app.models import Contribution, Message, Offer, Report, Task
from tasks_app.querysets import MessageQuerySet

if TYPE_CHECKING:
    from oasst.accounts.models import User

PAGE_SIZE = 20
# What counts as a contribution on one's own page; skips and reactions do not.
LISTED = (
    ContributionKind.PROMPT,
    ContributionKind.REPLY,
    ContributionKind.LABELS,
    ContributionKind.RANKING,
)


@dataclass(frozen=True)
class Filter:
    """Which messages somebody wants to see. None: whatever there is."""

    langs: Collection[str] | None = None
    roles: Collection[str] | None = None
    states: Collection[str] | None = None
    is_mine: bool = False
    topic: str = ""
    since: datetime | None = None
    until: datetime | None = None


def rows(reader: "User", wanted: Filter, *, now: datetime) -> MessageQuerySet:
    """The messages that a list may show to a reader: one's own, or what everybody sees."""
    if wanted.is_mine:
        found = Message.objects.written_by(reader)
    else:
        found = Message.objects.visible().not_veiled().not_under_review_by(reader, now)
    if wanted.langs is not None:
        found = found.filter(lang__in=wanted.langs)
    if wanted.roles is not None:
        found = found.filter(role__in=wanted.roles)
    if wanted.states is not None:
        found = found.filter(_any_of(wanted.states))
    if wanted.topic:
        found = found.about(wanted.topic)
    if wanted.since:
        found = found.filter(created_at__gte=wanted.since)
    return found.filter(created_at__lt=wanted.until) if wanted.until else found


_STATES = {
    "accepted": Q(review_result=True, deleted=False),
    # Few trees are in these, so the database looks there first.
    "review": Q(review_result=None, deleted=False, tree__state__in=REVIEWING_STATES),
    "rejected": Q(review_result=False) | Q(deleted=True),
}


def _any_of(states: Collection[str]) -> Q:
    found = Q(pk__in=[])
    for state in states:
        found |= _STATES[state]
    return found


def tree_messages(tree_id: uuid.UUID, reader: "User") -> list[Message]:
    """All messages of a tree that are there for a reader, best ranked first below each parent.

    One query. Nothing if its prompt is held back from the reader.
    """
    rows = Message.objects.filter(tree=tree_id).there_for(reader).select_related("tree", "user")
    unranked = 10**9
    return sorted(
        rows,
        key=lambda node: (
            node.depth,
            unranked if node.rank is None else node.rank,
            node.created_at,
            node.pk,
        ),
    )


_OUTCOMES = {
    "waiting": Q(message__review_result=None, message__deleted=False),
    "accepted": Q(message__review_result=True, message__deleted=False),
    "not_accepted": Q(message__review_result=False) | Q(message__deleted=True),
}


def contributions(
    user: "User", *, kind: str = "", outcome: str = "", before: int | None = None
) -> tuple[list[Contribution], int | None]:
    """A page of what somebody did, newest first, and the id that the next page ends before."""
    rows = Contribution.objects.filter(user=user, kind__in=[kind] if kind else LISTED)
    if outcome:
        rows = rows.filter(_OUTCOMES[outcome])
    if before:
        rows = rows.filter(pk__lt=before)
    found = list(rows.select_related("message__tree", "task").order_by("-pk")[: PAGE_SIZE + 1])
    more = found[PAGE_SIZE - 1].pk if len(found) > PAGE_SIZE else None
    return found[:PAGE_SIZE], more


def kinds_done(user: "User", kinds: Iterable[ContributionKind]) -> set[str]:
    """Which of these somebody has ever contributed. One query, of one row per kind at most."""
    first = [Contribution.objects.filter(user=user, kind=kind).values("kind")[:1] for kind in kinds]
    return {row["kind"] for row in first[0].union(*first[1:], all=True)}


def open_tasks(user: "User", *, now: datetime) -> list[Task]:
    """Tasks somebody may still do, newest first, with their drafts."""
    rows = Task.objects.open_of(user, now).select_related("message", "draft")
    return list(rows[:PAGE_SIZE])


def kept_drafts(user: "User", *, now: datetime) -> list[Task]:
    """Tasks that can no longer be done but hold what their author wrote, newest first."""
    ended = Q(skipped_at__isnull=False) | Q(expires_at__lte=now)
    rows = Task.objects.filter(ended, user=user, done_at=None, draft__isnull=False)
    return list(rows.select_related("draft", "message").order_by("-draft__saved_at")[:PAGE_SIZE])


def reports(user: "User") -> list[Report]:
    """What somebody has reported, newest first, with the messages."""
    rows = Report.objects.filter(user=user).select_related("message__tree")
    return list(rows.order_by("-created_at", "pk")[:PAGE_SIZE])


@dataclass
class Waiting:
    """How much work of each sort waits in one language, whoever may do it."""

    lang: str
    write: int = 0
    review: int = 0
    rank: int = 0
    since: datetime | None = None

    def add(self, section: Section | None, slots: int) -> None:
        """Count free slots of one section."""
        if section:
            setattr(self, section.value, getattr(self, section.value) + slots)


def waiting(reader: "User", langs: Sequence[str], *, now: datetime) -> list[Waiting]:
    """Free slots by language, and since when the oldest waits. Two queries."""
    found = {lang: Waiting(lang) for lang in langs}
    rows = Offer.objects.filter(lang__in=list(langs), slots__gt=0).order_by()
    for row in rows.values("lang", "kind").annotate(slots=Sum("slots"), since=Min("since")):
        entry = found[row["lang"]]
        entry.add(KINDS[row["kind"]].section, row["slots"])
        entry.since = min(entry.since or row["since"], row["since"])
    # A gold item must look like a message in review, whose slot is taken.
    gold_items = Task.objects.gold_in_hand(reader, now).filter(lang__in=found)
    for lang in gold_items.values_list("lang", flat=True):
        found[lang].review = max(found[lang].review - 1, 0)
    return list(found.values())
