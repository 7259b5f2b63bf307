"""Questions about points and boards."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from leaderboard_app.enums import EntryState

if TYPE_CHECKING:
    from leaderboard_app.models import PointEntry, UserStats  # noqa: F401

NOTHING = Decimal("0.0")


class PointEntryQuerySet(QuerySet["PointEntry"]):
    """Entries of the ledger."""

    def of_trees(self, trees: Any) -> PointEntryQuerySet:
        """Those that rest on messages of these trees."""
        return self.filter(contribution__message__tree__in=trees)

    def within(self, start: datetime | None, end: datetime | None = None) -> PointEntryQuerySet:
        """For what was done from `start` on and before `end`."""
        rows = self.filter(at__gte=start) if start else self
        return rows.filter(at__lt=end) if end else rows

    def score(self) -> Decimal:
        """The sum of what is confirmed."""
        return self._sum(EntryState.CONFIRMED)

    def pending(self) -> Decimal:
        """The sum of what is still open."""
        return self._sum(EntryState.PENDING)

    def _sum(self, state: EntryState) -> Decimal:
        return self.filter(state=state).aggregate(sum=Sum("points"))["sum"] or NOTHING

    def newest_first(self) -> PointEntryQuerySet:
        """In the order of the ledger page."""
        return self.order_by("-at", "-id")

    def older_than(self, at: datetime, pk: int) -> PointEntryQuerySet:
        """What follows the entry `pk` of that time, newest first."""
        return self.filter(Q(at__lt=at) | Q(at=at, pk__lt=pk))


class UserStatsQuerySet(QuerySet["UserStats"]):
    """Rows of boards."""

    def board(self, frame: str, lang: str = "") -> UserStatsQuerySet:
        """Who is shown on a board, best first; equal scores by account, so always the same way."""
        return self._shown(frame, lang).order_by("-confirmed", "user")

    def _shown(self, frame: str, lang: str) -> UserStatsQuerySet:
        return self.filter(
            frame=frame,
            lang=lang,
            confirmed__gt=0,
            user__is_active=True,
            user__deleted_at=None,
            user__on_leaderboard=True,
        )

    def behind(self, score: Decimal, user: UUID) -> UserStatsQuerySet:
        """Rows of a board below the place of somebody with this score."""
        return self.filter(Q(confirmed__lt=score) | Q(confirmed=score, user__gt=user))

    def ahead(self, score: Decimal, user: UUID) -> UserStatsQuerySet:
        """Rows of a board above the place of somebody with this score."""
        return self.filter(Q(confirmed__gt=score) | Q(confirmed=score, user__lt=user))
