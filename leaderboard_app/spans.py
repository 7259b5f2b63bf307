"""Spans of time that a reader may choose, and the points that they are drawn with. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# More points than this are drawn by the week, and more than twice as many weeks by the month.
MOST_POINTS = 92


class Span(TextChoices):
    """How far back."""

    MONTH = "30", _("30 days")
    QUARTER = "90", _("90 days")
    YEAR = "365", _("One year")
    ALL = "all", _("All time")


@dataclass(frozen=True)
class Window:
    """From the first day to the last, both included, cut into points of the same kind."""

    first: date
    last: date

    @property
    def unit(self) -> str:
        """Day, week or month: what one point stands for."""
        days = (self.last - self.first).days + 1
        if days <= MOST_POINTS:
            return "day"
        return "week" if days <= MOST_POINTS * 2 * 7 else "month"

    @property
    def points(self) -> list[date]:
        """The first days of all points."""
        found = [self.start_of(self.first)]
        while (following := self.start_of(found[-1] + _LONGEST[self.unit])) <= self.last:
            found.append(following)
        return found

    def start_of(self, day: date) -> date:
        """The first day of the point that `day` belongs to."""
        if self.unit == "day":
            return day
        if self.unit == "week":
            return monday(day)
        return day.replace(day=1)


# From the first day of a point this leads into the next one.
_LONGEST = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=31)}


def monday(day: date) -> date:
    """The first day of a day's week."""
    return day - timedelta(days=day.weekday())


def window(span: str, *, first: date, today: date) -> Window:
    """The days of a span that ends today, none before the `first` day there is."""
    first = min(first, today)
    if span == Span.ALL:
        return Window(first, today)
    return Window(max(first, today - timedelta(days=int(span) - 1)), today)
