"""Points follow contributions from one account to another when two are merged, and back."""

from collections.abc import Iterable
from typing import cast
from uuid import UUID

from django.db.models import F, OuterRef, Subquery

from leaderboard_app.models import PointEntry, Streak, TrollStats, UserStats
from tasks_app.enums import ModerationKind
from tasks_app.models import Contribution, ModerationAction


def follow(acted: Iterable[ModerationAction]) -> set[UUID]:
    """Book the entries of merged accounts for whom the contributions belong to now; returns whose
    standings change. What stayed with a closed account gives no points, until the merge is undone:
    then what is missing has to be booked anew. Caller has the turn."""
    touched: set[UUID] = set()
    for entry in acted:
        merge = entry if entry.action == ModerationKind.MERGE_PEOPLE else entry.undoes
        if merge is None or merge.action != ModerationKind.MERGE_PEOPLE:
            continue
        source, into = UUID(merge.data["from"]), cast(UUID, merge.user_id)
        owner = Contribution.objects.filter(pk=OuterRef("contribution")).values("user")
        strays = PointEntry.objects.filter(user__in=[source, into])
        strays.exclude(user=F("contribution__user")).update(user=Subquery(owner))
        touched.add(into)
        if entry is not merge:
            touched.add(source)
        if ModerationAction.objects.filter(undoes=merge).exists():  # a log may be read twice
            continue
        for model in (PointEntry, UserStats, Streak, TrollStats):
            model.objects.filter(user=source).delete()
    return touched
