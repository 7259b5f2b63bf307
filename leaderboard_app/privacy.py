"""What the community's pages hold about a person: handed out by `collect`, removed by `erase`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from leaderboard_app.models import PointEntry, PrizeWinner, Streak, TrollStats, UserStats
from oasst.accounts.models import User
from oasst.accounts.privacy import Sections, rows_of

SECTIONS: Sections = {
    "points": (
        PointEntry.objects,
        "user",
        "reason points state why lang at settled_at closeness knows held waits",
    ),
    "standings": (UserStats.objects, "user", "frame lang confirmed pending computed_at"),
    "streak": (Streak.objects, "user", "since last_day longest"),
    "prizes": (PrizeWinner.objects, "user", "prize__title place points"),
}


def collect(user: User) -> dict[str, Iterable[dict[str, Any]]]:
    """Section → rows of plain values."""
    return rows_of(user, SECTIONS)


def erase(user: User, *, now: datetime) -> None:
    """Remove points and standings, and the name from prizes. May run twice.

    The ledger writes nothing about deleted accounts, so nothing comes back.
    """
    for model in (PointEntry, UserStats, Streak, TrollStats):
        model.objects.filter(user=user).delete()
    PrizeWinner.objects.filter(user=user).update(user=None)
