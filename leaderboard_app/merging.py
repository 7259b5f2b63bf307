"""Points follow contributions from one account to another when two are merged."""

from collections.abc import Iterable
from typing import cast
from uuid import UUID

from django.db.models import F, OuterRef, Subquery

from leaderboard_app.models import PointEntry, Streak, TrollStats, UserStats
from tasks_app.models import Contribution, ModerationAction


def follow(merges: Iterable[ModerationAction]) -> set[UUID]:
    """Book the entries of merged accounts for whom the contributions belong to now; returns whose
    standings change. What stayed with a closed account gives no points. Caller has the turn."""
    touched: set[UUID] = set()
    for entry in merges:
        source, into = UUID(entry.data["from"]), cast(UUID, entry.user_id)
        owner = Contribution.objects.filter(pk=OuterRef("contribution")).values("user")
        strays = PointEntry.objects.filter(user__in=[source, into])
        strays.exclude(user=F("contribution__user")).update(user=Subquery(owner))
        for model in (PointEntry, UserStats, Streak, TrollStats):
            model.objects.filter(user=source).delete()
        touched.add(into)
    return touched
