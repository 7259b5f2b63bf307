"""Periodic jobs of the community on the `default` queue. All may run twice."""

from django.utils import timezone

from leaderboard_app import daily


def refresh_statistics() -> None:
    """Count what is new."""
    daily.refresh(now=timezone.now())


def recount_statistics() -> None:
    """Count everything anew."""
    daily.recount(now=timezone.now())
