"""What the leaderboard shows: pages of a board, one's own place with neighbours, common goals."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Max, Sum

from leaderboard_app import badges, levels, streaks
from leaderboard_app.badges import Badge
from leaderboard_app.enums import Frame
from leaderboard_app.levels import Level
from leaderboard_app.models import PointEntry, Streak, TeamGoal, UserStats
from leaderboard_app.querysets import NOTHING

if TYPE_CHECKING:
    from oasst.accounts.models import User

PAGE = 25
ENTRIES = 30
NEIGHBOURS = 2
MOST_BADGES = 4
# With fewer people there is nothing to win against anybody.
ENOUGH_PEOPLE = 3
DEFAULT_GOAL = 100
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Place:
    """One row of a board."""

    number: int
    stats: UserStats
    level: Level
    streak: int
    badges: list[Badge]
    is_own: bool


@dataclass(frozen=True)
class Board:
    """One page of a board, and where one stands oneself if that is elsewhere."""

    places: list[Place]
    around: list[Place]
    after: tuple[Decimal, UUID] | None  # where the next page begins
    people: int  # on all pages; no more than are looked for: ENOUGH_PEOPLE
    updated_at: datetime | None


@dataclass(frozen=True)
class Goal:
    """What a language wants to do together this week."""

    lang: str
    done: int
    target: int

    @property
    def is_reached(self) -> bool:
        """True if there is nothing left to do."""
        return self.done >= self.target


@dataclass(frozen=True)
class Own:
    """Where somebody stands, from the ledger as it is now."""

    score: Decimal
    pending: Decimal
    level: Level
    streak: int
    longest: int
    badges: list[Badge]

    @property
    def progress(self) -> int:
        """Percent of the way to the next level."""
        return self.level.progress(self.score)

    @property
    def missing(self) -> Decimal | None:
        """Points to the next level."""
        return None if self.level.next_at is None else self.level.next_at - self.score


def page(
    user: "User", frame: Frame, lang: str, *, now: datetime, after: tuple[Decimal, UUID] | None
) -> Board:
    """A page of the board, the best first; a fixed number of queries."""
    shown = UserStats.objects.board(frame, lang)
    rows = list((shown.behind(*after) if after else shown).select_related("user")[: PAGE + 1])
    more, rows = rows[PAGE:], rows[:PAGE]
    around: list[UserStats] = []
    if rows and all(row.user_id != user.pk for row in rows):
        around = _around(user, frame, lang)
    numbers = {row.pk: number for number, row in _numbered(rows, shown)}
    numbers |= {row.pk: number for number, row in _numbered(around, shown)}
    places = _places([*rows, *around], numbers, user, now)
    last = rows[-1] if more else None
    return Board(
        places=places[: len(rows)],
        around=places[len(rows) :],
        after=(last.confirmed, last.user_id) if last else None,
        people=shown[:ENOUGH_PEOPLE].count(),
        updated_at=UserStats.objects.filter(frame=frame, lang=lang).aggregate(
            at=Max("computed_at")
        )["at"],
    )


def _around(user: "User", frame: Frame, lang: str) -> list[UserStats]:
    """One's own row and its neighbours, best first; empty if one is not on the board."""
    shown = UserStats.objects.board(frame, lang).select_related("user")
    own = shown.filter(user=user).first()
    if own is None:
        return []
    above = shown.ahead(own.confirmed, own.user_id).order_by("confirmed", "-user")[:NEIGHBOURS]
    below = shown.behind(own.confirmed, own.user_id)[:NEIGHBOURS]
    return [*reversed(above), own, *below]


def _numbered(rows: list[UserStats], shown: Any) -> list[tuple[int, UserStats]]:
    """Rows that follow one another, with their numbers on the whole board."""
    if not rows:
        return []
    first = shown.ahead(rows[0].confirmed, rows[0].user_id).order_by().count() + 1
    return list(enumerate(rows, start=first))


def _places(
    rows: list[UserStats], numbers: dict[int, int], user: "User", now: datetime
) -> list[Place]:
    people = {row.user_id for row in rows}
    totals = _totals(people)
    runs = {run.user_id: run for run in Streak.objects.filter(user__in=people)}
    places = []
    for row in rows:
        numbers_of = _for_badges(totals.get(row.user_id, []), runs.get(row.user_id))
        total = next((r.confirmed for r in totals.get(row.user_id, []) if not r.lang), NOTHING)
        place = Place(
            number=numbers[row.pk],
            stats=row,
            level=levels.level(total),
            streak=_streak(runs.get(row.user_id), row.user, now),
            badges=badges.earned(numbers_of)[:MOST_BADGES],
            is_own=row.user_id == user.pk,
        )
        places.append(place)
    return places


def _totals(people: Collection[UUID]) -> dict[UUID, list[UserStats]]:
    totals: dict[UUID, list[UserStats]] = {}
    for row in UserStats.objects.filter(user__in=people, frame=Frame.TOTAL):
        totals.setdefault(row.user_id, []).append(row)
    return totals


def _for_badges(totals: list[UserStats], run: Streak | None) -> dict[str, float]:
    names = "texts accepted reviews rankings firsts votes closeness".split()
    everything = next((row for row in totals if not row.lang), None)
    numbers = {name: float(getattr(everything, name, 0)) for name in names}
    langs = sum(row.confirmed > 0 for row in totals if row.lang)
    return numbers | {"langs": langs, "longest": run.longest if run else 0}


def _streak(run: Streak | None, user: "User", now: datetime) -> int:
    if run is None:
        return 0
    today = now.astimezone(ZoneInfo(user.time_zone)).date()
    return streaks.length(run.since, run.last_day, today)


def own(user: "User", *, now: datetime) -> Own:
    """Where somebody stands, whether or not they are shown to others."""
    entries = PointEntry.objects.filter(user=user)
    score, pending = entries.score(), entries.pending()
    run = Streak.objects.filter(user=user).first()
    totals = _totals([user.pk]).get(user.pk, [])
    return Own(
        score=score,
        pending=pending,
        level=levels.level(score if totals else None),
        streak=_streak(run, user, now),
        longest=run.longest if run else 0,
        badges=badges.of(_for_badges(totals, run)),
    )


def entries(
    user: "User", *, state: str = "", after: tuple[datetime, int] | None = None
) -> tuple[list[PointEntry], PointEntry | None]:
    """A page of somebody's ledger, newest first, and its last entry if there are more."""
    rows = PointEntry.objects.filter(user=user)
    if state:
        rows = rows.filter(state=state)
    if after:
        rows = rows.older_than(*after)
    found = list(rows.newest_first().select_related("contribution__message")[: ENTRIES + 1])
    return found[:ENTRIES], found[ENTRIES - 1] if len(found) > ENTRIES else None


def goals(langs: Collection[str]) -> list[Goal]:
    """The goals of some languages, in that order."""
    targets = dict(TeamGoal.objects.filter(lang__in=langs).values_list("lang", "target"))
    found = UserStats.objects.filter(frame=Frame.WEEK, lang__in=langs).order_by().values("lang")
    done = {row["lang"]: row["sum"] for row in found.annotate(sum=Sum("contributions"))}
    return [Goal(lang, done.get(lang, 0), targets.get(lang, DEFAULT_GOAL)) for lang in langs]
