"""Who puts one side before the others, or behind them, more than anybody would. Pure.

A side is whoever can be promoted: an author, a model. Accounts that act together agree with each
other, so that they look skilled; that one side never loses with them is what gives them away.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Side = Hashable
Who = Hashable
Groups = Sequence[Sequence[Side]]
Floats = NDArray[np.float64]
Keys = NDArray[np.int64]

FEW = 10  # rankings with a side below which nobody is said to favour it
SURE = 4.0  # standard deviations from what others do: chance, once in 16 000
TOGETHER = 3  # accounts that favour a side: fewer have a taste of their own
_STRANGERS = 2.0  # comparisons: of two sides that seldom meet, the one that wins elsewhere wins


def in_concert(rankings: Sequence[tuple[Who, Groups]], *, together: int = TOGETHER) -> set[Who]:
    """Those who favour or run down a side that so many do: one alone has a taste."""
    named = favourites(rankings)
    times = Counter(side for sides in named.values() for side in sides)
    return {who for who, sides in named.items() if any(times[each] >= together for each in sides)}


def favourites(
    rankings: Sequence[tuple[Who, Groups]], *, few: int = FEW, sure: float = SURE
) -> dict[Who, set[Side]]:
    """The sides that somebody favours or runs down, of those who do.

    `rankings` are (who, groups of sides, best first). How often a side wins with somebody is held
    against how often it wins against the same opponents with everybody else, and where these are
    few, against anybody; a ranking counts once, for its comparisons are alike.
    """
    table = _Table(rankings)
    if not table.points.size:
        return {}
    owner, side, surprise = table.surprises()
    spread = np.sqrt(np.bincount(side, surprise**2) / np.maximum(np.bincount(side), 1))
    keys, place = np.unique(owner * len(table.sides) + side, return_inverse=True)
    sums, times = np.bincount(place, surprise), np.bincount(place)
    owners, sides = np.divmod(keys, len(table.sides))
    stands_out = (times >= few) & (np.abs(sums) > sure * spread[sides] * np.sqrt(times))
    named: dict[Who, set[Side]] = defaultdict(set)
    for who, found in zip(owners[stands_out], sides[stands_out], strict=True):
        named[table.people[who]].add(table.sides[found])
    return dict(named)


class _Table:
    """Every comparison of two sides, from both ends, as arrays: (C,) each."""

    def __init__(self, rankings: Sequence[tuple[Who, Groups]]) -> None:
        people: dict[Who, int] = {}
        sides: dict[Side, int] = {}
        rows: list[tuple[int, int, int, int]] = []
        points: list[float] = []
        for number, (who, groups) in enumerate(rankings):
            owner = people.setdefault(who, len(people))
            for a, b, won in _comparisons(groups):
                first, second = sides.setdefault(a, len(sides)), sides.setdefault(b, len(sides))
                rows += (number, owner, first, second), (number, owner, second, first)
                points += won, 1 - won
        self.people, self.sides = list(people), list(sides)
        self.points: Floats = np.array(points)
        self._number, self._owner, self._side, self._other = (
            np.array(rows, dtype=np.int64).reshape(-1, 4).T
        )

    def surprises(self) -> tuple[Keys, Keys, Floats]:
        """For each side of each ranking (R,): whose ranking, the side, and by how much more it won
        than with the others, from −1 to 1."""
        size = len(self.sides)
        at_all = self._share_with_others(self._side, np.full(self.points.size, 0.5))
        expected = self._share_with_others(self._side * size + self._other, at_all)
        _, first, place = np.unique(
            self._number * size + self._side, return_index=True, return_inverse=True
        )
        surprise = np.bincount(place, self.points - expected) / np.bincount(place)
        return self._owner[first], self._side[first], surprise

    def _share_with_others(self, key: Keys, prior: Floats) -> Floats:
        """How often what `key` names wins with the others, drawn towards `prior`. (C,)"""
        _, key = np.unique(key, return_inverse=True)
        _, own = np.unique(self._owner * (key.max() + 1) + key, return_inverse=True)
        wins = np.bincount(key, self.points)[key] - np.bincount(own, self.points)[own]
        tries = np.bincount(key)[key] - np.bincount(own)[own]
        return (wins + _STRANGERS * prior) / (tries + _STRANGERS)


def _comparisons(groups: Groups) -> Iterator[tuple[Side, Side, float]]:
    """Every pair of different sides, and what the first of them got: 1, or ½ for a tie."""
    placed = [(side, place) for place, group in enumerate(groups) for side in group]
    for (a, place_a), (b, place_b) in combinations(placed, 2):
        if a != b:
            yield a, b, 0.5 if place_a == place_b else float(place_a < place_b)
