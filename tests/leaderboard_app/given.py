"""What the tests of the community begin with: people who take their time, and days."""

import random
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from leaderboard_app import ledger, prizes, rules, stats
from leaderboard_app.enums import EntryState, Reason, Why
from leaderboard_app.models import PointEntry, Prize
from oasst.accounts.models import User
from tasks_app import interactions, labels
from tasks_app.enums import Role, TaskType
from tasks_app.models import Contribution, Message
from tests.factories import CHANCE, GOOD, NOW, hand_out

A_MINUTE = timedelta(minutes=1)


def days(*numbers: int) -> list[date]:
    return [date(2026, 5, number) for number in numbers]


def numbers(**known: float) -> dict[str, float]:
    names = "texts accepted reviews rankings firsts votes closeness longest langs".split()
    return dict.fromkeys(names, 0) | known


def reply(
    user: User, parent: Message, *, now: datetime = NOW, takes: timedelta = A_MINUTE
) -> Message:
    kind = TaskType(f"{Role(parent.role).other}_reply")
    task = hand_out(user, kind, parent, now=now)
    return interactions.submit_reply(task.pk, user, f"Answer {task.pk}", now=now + takes)


def review(
    user: User,
    message: Message,
    values: Mapping[str, float] = GOOD,
    *,
    now: datetime = NOW,
    takes: timedelta = A_MINUTE,
) -> None:
    kind = labels.review_kind(message.role, is_root=message.is_root)
    task = hand_out(user, kind, message, now=now)
    interactions.submit_labels(task.pk, user, values, now=now + takes)


def rank(user: User, parent: Message, order: Sequence[Message], *, now: datetime = NOW) -> None:
    task = hand_out(user, TaskType(f"rank_{Role(parent.role).other}_replies"), parent, now=now)
    groups = [[message.pk] for message in order]
    interactions.submit_ranking(task.pk, user, groups, now=now + A_MINUTE)


def booked(user: User, *, now: datetime = NOW) -> dict[str, tuple[str, str]]:
    """Somebody's entries once the ledger is up to date: reason → state and why."""
    ledger.catch_up(now=now)
    rows = PointEntry.objects.filter(user=user).order_by("pk")
    return {row.reason: (row.state, row.why) for row in rows}


def chance(*seed: object) -> random.Random:
    return random.Random(repr(seed)) if seed else CHANCE


def scored(
    user: User, *reasons: Reason, now: datetime = NOW, lang: str = "en", told: datetime = NOW
) -> PointEntry:
    """Confirmed entries, by default a review, as the ledger would write them; the last one."""
    for reason in reasons or (Reason.REVIEW_FULL,):
        did = Contribution.objects.create(user=user, kind="labels", lang=lang, created_at=now)
        entry = PointEntry.objects.create(
            user=user,
            contribution=did,
            reason=reason,
            points=rules.POINTS[reason],
            state=EntryState.CONFIRMED,
            why=Why.DECIDED,
            lang=lang,
            at=now,
            settled_at=now,
        )
    stats.refresh_people([user.pk], now=max(now, told))
    return entry


def prize(*, now: datetime = NOW, lang: str = "") -> Prize:
    """A published prize of the last week; somebody must have points in it."""
    made = Prize.objects.create(
        title="Harvest", lang=lang, starts_at=now - timedelta(days=7), ends_at=now
    )
    return prizes.publish(made.pk, actor=None, now=now)
