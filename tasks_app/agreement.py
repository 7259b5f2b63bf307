"""How much people agree beyond chance: Krippendorff's α. Pure, standard library only."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from itertools import combinations
from math import fsum


class Level(StrEnum):
    """What a difference between two values means."""

    NOMINAL = "nominal"  # they differ or not
    ORDINAL = "ordinal"  # so many others lie between them
    INTERVAL = "interval"  # their distance


Distance = Callable[[float, float], float]


def krippendorff_alpha(units: Iterable[Sequence[float]], level: Level) -> float | None:
    """α of the values that each unit (a message, say) got from several people.

    1 is full agreement, 0 what chance gives, below 0 systematic disagreement. Units with fewer
    than two values say nothing. None if nothing is left or all values are the same.
    Source: Krippendorff, Computing Krippendorff's alpha-reliability, 2011.
    """
    pairable = [Counter(unit) for unit in units if len(unit) > 1]
    totals: Counter[float] = sum(pairable, Counter())
    distance = _distance(level, totals)
    expected = _disagreement(totals, distance)
    if not expected:
        return None
    observed = fsum(_disagreement(u, distance) / (u.total() - 1) for u in pairable)
    return 1 - (totals.total() - 1) * observed / expected


def _disagreement(counts: Counter[float], distance: Distance) -> float:
    """Sum of the distances of all pairs of values, each pair once."""
    return fsum(counts[a] * counts[b] * distance(a, b) for a, b in combinations(sorted(counts), 2))


def _distance(level: Level, totals: Counter[float]) -> Distance:
    if level == Level.NOMINAL:
        return lambda a, b: float(a != b)
    if level == Level.INTERVAL:
        return lambda a, b: (a - b) ** 2
    place, below = {}, 0
    for value in sorted(totals):
        place[value] = below + totals[value] / 2
        below += totals[value]
    return lambda a, b: (place[a] - place[b]) ** 2
