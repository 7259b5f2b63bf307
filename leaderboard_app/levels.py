"""Levels 0 to 100 from the confirmed score (pure). Source: reference 5.4."""

from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

HIGHEST = 100
# From one level to the next it takes a little more each time.
THRESHOLDS = [0, *(round(s) for s in accumulate(1.1521 * i + 3 for i in range(1, HIGHEST)))]


@dataclass(frozen=True)
class Level:
    """A level and the way to the next one, in points."""

    number: int
    begins_at: int
    next_at: int | None

    def progress(self, score: Decimal) -> int:
        """Percent of the way to the next level."""
        if self.next_at is None:
            return 100
        if self.next_at == self.begins_at:
            return 0  # level 0, which the first contribution ends
        return int(100 * (score - self.begins_at) / (self.next_at - self.begins_at))


def level(score: Decimal | None) -> Level:
    """The level of a score; 0 for somebody who never had points."""
    if score is None:
        return Level(0, 0, 0)
    number = bisect_right(THRESHOLDS, score)
    following = THRESHOLDS[number] if number < HIGHEST else None
    return Level(number, THRESHOLDS[number - 1], following)
