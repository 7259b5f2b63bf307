"""Who is told of what: facts are read from what was recorded, never written inside a submit.

Each source is a table in the order of its ids. Its cursor's row is the lock of those who read on,
and each fact has a key that a person is told once: whatever is killed or runs twice tells no fact
twice and leaves none out. Ids are given out before rows are seen, so every event is read again
once no transaction of its time can be under way.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from tasks_app import news
from tasks_app.enums import NotificationKind as Kind
from tasks_app.news import Fact
from tasks_app.notice_records import (
    EventCursor,
    Notification,
    NotificationSettings,
    NotifiedFact,
)

if TYPE_CHECKING:
    from oasst.accounts.models import User

PAGE_SIZE = 20
BATCH = 500
# A review can be taken back for some seconds, and what rests on it.
SETTLED_AFTER = timedelta(seconds=20)
# No transaction lasts so long: what it wrote is there by now.
SEEN_AFTER = timedelta(minutes=10)
# Older events are no news, as when the site begins to tell.
NEWS_FOR = timedelta(days=30)
# Told one by one, for each has a reason or a page of its own.
ONE_BY_ONE = frozenset({Kind.REMOVED, Kind.STOPPED, Kind.REPORT, Kind.QUESTION})


# Reading on


def tell_news(*, now: datetime, rounds: int = 20) -> int:
    """Tell everybody what happened since; returns how many were told something new."""
    told = 0
    for source in news.SOURCES:
        for _round in range(rounds):
            read, new = read_on(source, now=now)
            told += new
            if not read:
                break
    return told


@transaction.atomic
def read_on(source: news.Source, *, now: datetime) -> tuple[int, int]:
    """Read a batch of events for the first time and one for the second; (events, people told).

    Nothing if somebody else is reading.
    """
    EventCursor.objects.bulk_create(
        [EventCursor(source=source.name, seen_at=now)], ignore_conflicts=True
    )
    cursors = EventCursor.objects.select_for_update(skip_locked=True)
    cursor = cursors.filter(source=source.name).first()
    if cursor is None:
        return 0, 0
    fresh = _until(source.rows(cursor.seen)[:BATCH], now - SETTLED_AFTER, source)
    seen = fresh[-1].pk if fresh else cursor.seen
    again = source.rows(cursor.position).filter(pk__lte=cursor.seen)[:BATCH]
    late = _until(again, now - SEEN_AFTER, source)
    rows = [row for row in (*late, *fresh) if source.when(row) > now - NEWS_FOR]
    told = _tell(source.facts(rows), now=now) if rows else 0
    position = late[-1].pk if late else cursor.position
    EventCursor.objects.filter(pk=cursor.pk).update(position=position, seen=seen, seen_at=now)
    return len(fresh) + len(late), told


def _until(rows: Iterable[Any], moment: datetime, source: news.Source) -> list[Any]:
    return list(takewhile(lambda row: source.when(row) <= moment, rows))


# Telling


def _tell(facts: Iterable[Fact], *, now: datetime) -> int:
    """Store what is new to each person; returns how many people that is."""
    wanted = _wanted({(fact.user_id, fact.key): fact for fact in facts})
    if not wanted:
        return 0
    lock({user for user, _key in wanted})
    known = NotifiedFact.objects.filter(
        user__in={user for user, _key in wanted}, key__in={key for _user, key in wanted}
    )
    for told in known.values_list("user", "key"):
        wanted.pop(told, None)
    groups: dict[tuple[Any, ...], list[Fact]] = defaultdict(list)
    for fact in wanted.values():
        alone = fact.key if fact.kind in ONE_BY_ONE else ""
        groups[fact.user_id, fact.kind, alone].append(fact)
    _store(list(groups.values()), now)
    people = {group[0].user_id for group in groups.values()}
    count_unread(people)
    return len(people)


def _wanted(facts: dict[tuple[uuid.UUID, str], Fact]) -> dict[tuple[uuid.UUID, str], Fact]:
    """What people who are there wish to be told."""
    users = {user for user, _key in facts}
    active = get_user_model().objects.filter(pk__in=users, is_active=True, deleted_at=None)
    present = set(active.values_list("pk", flat=True))
    settings = NotificationSettings.objects.filter(user__in=users)
    muted = dict(settings.values_list("user", "muted"))
    return {
        key: fact
        for key, fact in facts.items()
        if fact.user_id in present and fact.kind not in muted.get(fact.user_id, ())
    }


def _store(groups: Sequence[list[Fact]], now: datetime) -> None:
    """One notification a group; with facts of an unread one of its kind, which it replaces, so
    that the newest stand first."""
    old = _unread_to_join([group[0] for group in groups])
    made = [
        _notification(group, old.get((group[0].user_id, group[0].kind)), now) for group in groups
    ]
    Notification.objects.bulk_create(made)
    for notification in made:
        joined = old.get((notification.user_id, notification.kind))
        if joined and notification.kind not in ONE_BY_ONE:
            joined.facts.update(notification=notification)
            joined.delete()
    NotifiedFact.objects.bulk_create(
        NotifiedFact(user_id=fact.user_id, key=fact.key, notification=notification)
        for notification, group in zip(made, groups, strict=True)
        for fact in group
    )


def _unread_to_join(first: Sequence[Fact]) -> dict[tuple[uuid.UUID, str], Notification]:
    rows = Notification.objects.filter(
        user__in={fact.user_id for fact in first},
        kind__in={fact.kind for fact in first} - ONE_BY_ONE,
        read_at=None,
    )
    return {(row.user_id, row.kind): row for row in rows}


def _notification(group: list[Fact], old: Notification | None, now: datetime) -> Notification:
    newest = group[-1]
    before = old.count if old and newest.kind not in ONE_BY_ONE else 0
    return Notification(
        user_id=newest.user_id,
        kind=newest.kind,
        count=before + len(group),
        message_id=newest.message_id,
        report_id=newest.report_id,
        data=newest.data,
        created_at=now,
    )


# Being read


def page(user: "User", before: int | None = None) -> tuple[list[Notification], int | None]:
    """A page of somebody's notifications, newest first, and the id that the next ends before."""
    rows = Notification.objects.filter(user=user)
    if before:
        rows = rows.filter(pk__lt=before)
    found = list(
        rows.select_related("message__tree", "report__message").order_by("-pk")[: PAGE_SIZE + 1]
    )
    more = found[PAGE_SIZE - 1].pk if len(found) > PAGE_SIZE else None
    return found[:PAGE_SIZE], more


@transaction.atomic
def mark_read(
    user: "User", *, now: datetime, up_to: int | None = None, only: int | None = None
) -> int:
    """Mark what somebody has seen: all up to one, or only one; returns how many were unread."""
    lock({user.pk})
    rows = Notification.objects.filter(user=user, read_at=None)
    if up_to is not None:
        rows = rows.filter(pk__lte=up_to)
    if only is not None:
        rows = rows.filter(pk=only)
    count = rows.update(read_at=now)
    count_unread({user.pk})
    return count


def lock(users: Collection[uuid.UUID]) -> None:
    """Lock the accounts, so that what is told and what is read are counted one after the other."""
    rows = get_user_model().objects.filter(pk__in=users).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk", flat=True))


def count_unread(users: Collection[uuid.UUID]) -> None:
    """Write the numbers that the bell shows. Caller holds the lock of the accounts."""
    unread = Notification.objects.filter(user=OuterRef("pk"), read_at=None).order_by()
    counted = unread.values("user").annotate(n=Count("pk")).values("n")
    number = Coalesce(Subquery(counted, output_field=models.IntegerField()), 0)
    get_user_model().objects.filter(pk__in=users).update(unread_notifications=number)


# Wishes


def settings_of(user: "User") -> NotificationSettings:
    """What somebody wishes; not stored if they never said."""
    return NotificationSettings.objects.filter(user=user).first() or NotificationSettings(user=user)


def wish(user: "User", *, muted: Sequence[str], weekly_digest: bool, now: datetime) -> None:
    """Store what somebody wishes. The first mail tells of what happens from now on."""
    with transaction.atomic():
        lock({user.pk})
        settings = settings_of(user)
        if weekly_digest and not settings.weekly_digest:
            settings.digested_at = now
        settings.muted, settings.weekly_digest = list(muted), weekly_digest
        settings.save()
