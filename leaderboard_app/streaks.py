"""Days in a row with something contributed (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Run:
    """The latest run of days, and the length of the longest one."""

    since: date
    last_day: date
    longest: int


def of(days: Sequence[date]) -> Run:
    """The runs in `days`, which are in order and at least one."""
    since, last, longest = days[0], days[0], 1
    for day in days[1:]:
        if day - last > ONE_DAY:
            since = day
        last = day
        longest = max(longest, (last - since).days + 1)
    return Run(since, last, longest)


def length(since: date, last_day: date, today: date) -> int:
    """How many days the streak has now: it lives until a whole day passes without anything."""
    return (last_day - since).days + 1 if today - last_day <= ONE_DAY else 0
