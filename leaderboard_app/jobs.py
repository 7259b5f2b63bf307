"""Jobs of the community. All may run twice; cron finds what was lost."""

import uuid

from django.utils import timezone

from leaderboard_app import daily, ledger
from leaderboard_app.enums import Frame
from oasst.lib import queue


def book_points() -> None:
    """Bring the ledger of points up to date with what people and moderators did."""
    ledger.catch_up(now=timezone.now())


def refresh_streak(user_id: str) -> None:
    """Count somebody's days anew, after they changed their time zone."""
    ledger.refresh_streak(uuid.UUID(user_id))


def follow_taken_back(user_id: str, tree_id: str) -> None:
    """Book what follows from a review that its person took back."""
    ledger.follow_taken_back(uuid.UUID(user_id), uuid.UUID(tree_id), now=timezone.now())


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
    """Look at every tree again, and then at everybody: a slice, then a job for the next.

    In the queue `long`, but other long jobs go in between.
    """
    now = timezone.now()
    last = ledger.settle_slice(uuid.UUID(after) if after else None, now=now)
    if last:
        queue.enqueue("leaderboard_app.jobs.settle_points", str(last), long=True)
    else:
        ledger.look_at_people(now=now)


def refresh_statistics() -> None:
    """Count what is new; have the past counted, if trees with older dates came or went."""
    now = timezone.now()
    daily.count_recent(now=now)
    if daily.is_behind(now=now):
        queue.enqueue("leaderboard_app.jobs.catch_up_statistics", key="catch-up-stats", long=True)


def recount_statistics() -> None:
    """Count everything anew, unless another worker is at it. A long job."""
    daily.recount_alone(now=timezone.now())


def catch_up_statistics() -> None:
    """Count everything anew if that is still needed and nobody is at it. A long job."""
    now = timezone.now()
    if daily.is_behind(now=now):
        daily.recount_alone(now=now)
