"""Jobs of the community on the `default` queue. All may run twice; cron finds what was lost."""

import uuid
from datetime import date

from django.utils import timezone

from leaderboard_app import daily, ledger
from leaderboard_app.enums import Frame
from oasst.lib import queue


def book_points() -> None:
    """Bring the ledger of points up to date with what people and moderators did."""
    ledger.catch_up(now=timezone.now())


def refresh_day() -> None:
    """Compute the board of the last day anew."""
    _refresh(Frame.DAY)


def refresh_week() -> None:
    """Compute the board of the last week anew."""
    _refresh(Frame.WEEK)


def refresh_month() -> None:
    """Compute the board of the last month anew."""
    _refresh(Frame.MONTH)


def refresh_total() -> None:
    """Compute the board of all time anew."""
    _refresh(Frame.TOTAL)


def _refresh(frame: Frame) -> None:
    ledger.refresh_frame(frame, now=timezone.now())


def settle_points(after: str | None = None) -> None:
    """Look at every tree again: a slice, then a job for the next, as no job may run for long."""
    last = ledger.settle_slice(uuid.UUID(after) if after else None, now=timezone.now())
    if last:
        queue.enqueue("leaderboard_app.jobs.settle_points", str(last))


def refresh_statistics() -> None:
    """Count what is new; begin with the past, if trees with older dates came or went."""
    now = timezone.now()
    if daily.is_behind(now=now):
        queue.enqueue("leaderboard_app.jobs.recount_statistics", key="recount-statistics")
    else:
        daily.refresh(now=now)


def recount_statistics(week: str | None = None) -> None:
    """Count some weeks anew, then a job for the next, until everything is counted."""
    following = daily.recount_slice(date.fromisoformat(week) if week else None, now=timezone.now())
    if following:
        queue.enqueue("leaderboard_app.jobs.recount_statistics", following.isoformat())
