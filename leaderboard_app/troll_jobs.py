"""Periodic jobs that compute the trollboard anew, a frame each. All may run twice."""

from django.utils import timezone

from leaderboard_app import trolls
from leaderboard_app.enums import Frame


def refresh_day() -> None:
    """The last day."""
    trolls.refresh(Frame.DAY, now=timezone.now())


def refresh_week() -> None:
    """The last seven days."""
    trolls.refresh(Frame.WEEK, now=timezone.now())


def refresh_month() -> None:
    """The last thirty days."""
    trolls.refresh(Frame.MONTH, now=timezone.now())


def refresh_total() -> None:
    """All time."""
    trolls.refresh(Frame.TOTAL, now=timezone.now())
