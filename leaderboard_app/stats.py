"""What boards and streaks show, computed from the ledger: per person at once, per frame by cron.

The caller holds the ledger's turn (`ledger.take_turn`).
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.auth import get_user_model
from django.db.models import Avg, Count, Q, Sum
from django.db.models.functions import TruncDate

from leaderboard_app import rules, streaks
from leaderboard_app.enums import EntryState, Frame, Reason, Why
from leaderboard_app.models import PointEntry, Streak, UserStats
from leaderboard_app.querysets import NOTHING

_CONFIRMED = Q(state=EntryState.CONFIRMED)
_PENDING = Q(state=EntryState.PENDING)
_TEXT = Q(reason__in=list(rules.WRITTEN))
_VOTE = Q(reason__in=rules.VOTES)
_DECIDED = ~Q(state=EntryState.PENDING) & ~Q(why__in=[Why.BANNED, Why.TOO_QUICK])
_SUMS = {
    "confirmed": Sum("points", filter=_CONFIRMED, default=NOTHING),
    "pending": Sum("points", filter=_PENDING, default=NOTHING),
    "contributions": Count("id", filter=_CONFIRMED & (_TEXT | _VOTE)),
    "texts": Count("id", filter=_TEXT & _DECIDED),
    "accepted": Count("id", filter=_TEXT & _CONFIRMED),
    "reviews": Count("id", filter=Q(reason__in=rules.REVIEWS) & _CONFIRMED),
    "rankings": Count("id", filter=Q(reason=Reason.RANKING) & _CONFIRMED),
    "firsts": Count("id", filter=Q(reason=Reason.FIRST) & _CONFIRMED),
    "votes": Count("id", filter=_VOTE & Q(closeness__isnull=False)),
    "closeness": Avg("closeness", filter=_VOTE, default=0.0),
}
_COUNTS = [name for name in _SUMS if name not in {"votes", "closeness"}]


def refresh_people(people: Collection[UUID], *, now: datetime) -> None:
    """Compute the standings and streaks of some people anew, in every frame."""
    if not people:
        return
    for frame in Frame:
        refresh_frame(frame, people, now=now)
    refresh_streaks(people)


def refresh_frame(frame: Frame, people: Collection[UUID], *, now: datetime) -> int:
    """Compute a frame anew for some people, as what was done leaves it with time."""
    rows = _rows(frame, PointEntry.objects.filter(user__in=people), now)
    UserStats.objects.filter(frame=frame, user__in=people).delete()
    UserStats.objects.bulk_create(rows, batch_size=1000)
    return len(rows)


def people_in(frame: Frame, *, now: datetime) -> set[UUID]:
    """Who is, or should be, on the board of a frame."""
    entries = PointEntry.objects.within(_start(frame, now)).order_by()
    shown = UserStats.objects.filter(frame=frame).order_by()
    return {*entries.values_list("user", flat=True).distinct()} | {
        *shown.values_list("user", flat=True)
    }


def _rows(frame: Frame, entries: Any, now: datetime) -> list[UserStats]:
    found = entries.within(_start(frame, now)).order_by().values("user", "lang").annotate(**_SUMS)
    by_user: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        by_user[row["user"]].append(row)
    rows = []
    for user, langs in by_user.items():
        for lang, sums in [("", _together(langs)), *((r["lang"], r) for r in langs if r["lang"])]:
            numbers = {name: sums[name] for name in _SUMS}
            rows.append(UserStats(user_id=user, frame=frame, lang=lang, computed_at=now, **numbers))
    return rows


def _start(frame: Frame, now: datetime) -> datetime | None:
    return now - frame.days if frame.days else None


def _together(langs: list[dict[str, Any]]) -> dict[str, Any]:
    """One person's sums over all languages."""
    sums = {name: sum(row[name] for row in langs) for name in _COUNTS}
    votes = sum(row["votes"] for row in langs)
    closeness = sum(row["closeness"] * row["votes"] for row in langs) / votes if votes else 0.0
    return {**sums, "votes": votes, "closeness": closeness}


def refresh_streaks(people: Collection[UUID]) -> None:
    """Count the days of some people anew."""
    days = _days(people)
    Streak.objects.filter(user__in=people).exclude(user__in=days).delete()
    rows = []
    for user, dates in days.items():
        run = streaks.of(dates)
        row = Streak(user_id=user, since=run.since, last_day=run.last_day, longest=run.longest)
        rows.append(row)
    Streak.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["user"],
        update_fields=["since", "last_day", "longest"],
    )


def _days(people: Collection[UUID]) -> dict[UUID, list[date]]:
    """The days on which each person did something that was not taken back, in their time zone."""
    zones: dict[str, list[UUID]] = defaultdict(list)
    known = get_user_model().objects.filter(pk__in=people)
    for pk, zone in known.values_list("pk", "time_zone"):
        zones[zone].append(pk)
    days: dict[UUID, list[date]] = defaultdict(list)
    for zone, users in zones.items():
        done = PointEntry.objects.filter(_TEXT | _VOTE, user__in=users)
        done = done.exclude(state=EntryState.REVERSED)
        local = done.annotate(day=TruncDate("at", tzinfo=ZoneInfo(zone)))
        for user, day in local.order_by("user", "day").values_list("user", "day").distinct():
            days[user].append(day)
    return days


def disagreements() -> Iterator[tuple[str, str, str]]:
    """Where what is shown is not the sum of the entries: rule, id, detail."""
    total = PointEntry.objects.order_by().values("user", "lang")
    sums = {
        (row["user"], row["lang"]): (row["confirmed"], row["pending"])
        for row in total.annotate(confirmed=_SUMS["confirmed"], pending=_SUMS["pending"])
    }
    for (user, _), (confirmed, pending) in list(sums.items()):
        old = sums.get((user, "*"), (Decimal(0), Decimal(0)))
        sums[user, "*"] = (old[0] + confirmed, old[1] + pending)
    shown = {
        (row.user_id, row.lang or "*"): (row.confirmed, row.pending)
        for row in UserStats.objects.filter(frame=Frame.TOTAL)
    }
    for key in sums.keys() | shown.keys():
        if key[1] and sums.get(key) != shown.get(key):
            detail = f"{key[1]}: {sums.get(key)} in the ledger, {shown.get(key)} shown"
            yield "score_is_the_sum_of_entries", str(key[0]), detail
