"""What waits, by kind and language, how much and for how long, whoever may take it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min, Q, Sum

from tasks_app.enums import TaskType
from tasks_app.models import Offer

# What waits longer than this is starving: somebody wrote a text, and nobody looks at it.
STARVING_AFTER = timedelta(days=7)
# Work is told apart by age: up to an hour, up to a day, up to a week, longer.
AGES = (timedelta(hours=1), timedelta(days=1), timedelta(days=7))


@dataclass(frozen=True)
class Queue:
    """The free places of one kind in one language, and since when the oldest waits."""

    lang: str
    kind: TaskType
    slots: int
    since: datetime
    by_age: tuple[int, ...]
    now: datetime

    @property
    def age(self) -> timedelta:
        """How long the oldest has been waiting."""
        return self.now - self.since

    @property
    def is_starving(self) -> bool:
        """True if nobody has taken the oldest for too long."""
        return self.age >= STARVING_AFTER

    def without(self, places: int) -> "Queue":
        """The queue as if some places, of the newest work, were taken."""
        left, by_age = places, []
        for count in self.by_age:
            by_age.append(max(count - left, 0))
            left = max(left - count, 0)
        return replace(self, slots=sum(by_age), by_age=tuple(by_age))


def as_if_taken(found: Iterable[Queue], taken: Iterable[tuple[str, str]]) -> list[Queue]:
    """The queues with a place less for each language and kind of `taken`."""
    gone = Counter(taken)
    left = [queue.without(gone[queue.lang, queue.kind]) for queue in found]
    return [queue for queue in left if queue.slots]


def queues(*, now: datetime, langs: Sequence[str] | None = None) -> list[Queue]:
    """Everything that waits, the longest first; in `langs` only, if given. One query."""
    rows = Offer.objects.filter(slots__gt=0).order_by()
    if langs is not None:
        rows = rows.filter(lang__in=langs)
    grouped = rows.values("lang", "kind").annotate(
        places=Sum("slots"),
        oldest=Min("since"),
        **{f"age_{n}": Sum("slots", filter=Q(since__lte=now - age)) for n, age in enumerate(AGES)},
    )
    return sorted((_queue(row, now) for row in grouped), key=lambda queue: queue.since)


def _queue(row: Mapping[str, Any], now: datetime) -> Queue:
    """Each age without those that are older still."""
    at_least = [row["places"], *(row[f"age_{n}"] or 0 for n in range(len(AGES))), 0]
    by_age = tuple(at_least[n] - at_least[n + 1] for n in range(len(AGES) + 1))
    kind = TaskType(row["kind"])
    return Queue(row["lang"], kind, row["places"], row["oldest"], by_age, now)
