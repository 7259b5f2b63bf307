"""Who puts one side before the others, or behind them, more than anybody would. Pure.

A side is whoever can be promoted: a model, an author. Accounts that act together agree with each
other, so that they look skilled; that one side never loses with them is what gives them away.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations
from math import sqrt

Side = Hashable
Who = Hashable
Groups = Sequence[Sequence[Side]]

FEW = 10  # rankings with a side below which nobody is said to favour it
SURE = 4.0  # standard deviations from what others do: chance, once in 16 000


def favourites(
    rankings: Sequence[tuple[Who, Groups]], *, few: int = FEW, sure: float = SURE
) -> dict[Who, set[Side]]:
    """The sides that somebody favours or runs down, of those who do.

    `rankings` are (who, groups of sides, best first). How often a side wins with somebody is held
    against how often it wins against the same opponents with everybody else; a ranking counts
    once, for its comparisons are alike. Meant for standings of sides over many rankings, such as
    those of a round's models; a moderator decides what follows.
    """
    everybody = _Record()
    records: dict[Who, _Record] = defaultdict(_Record)
    for who, groups in rankings:
        for record in (everybody, records[who]):
            record.add(groups)
    sums: dict[tuple[Who, Side], float] = defaultdict(float)
    counts: dict[tuple[Who, Side], int] = defaultdict(int)
    squares: dict[Side, list[float]] = defaultdict(list)
    for who, groups in rankings:
        for side, surprise in _surprises(groups, everybody, records[who]):
            sums[who, side] += surprise
            counts[who, side] += 1
            squares[side].append(surprise**2)
    spread = {side: sqrt(sum(found) / len(found)) for side, found in squares.items()}
    named: dict[Who, set[Side]] = defaultdict(set)
    for (who, side), total in sums.items():
        times = counts[who, side]
        if times >= few and abs(total) > sure * spread[side] * sqrt(times):
            named[who].add(side)
    return dict(named)


class _Record:
    """How often each side won against each other one; a tie is half a win."""

    def __init__(self) -> None:
        self.wins: dict[tuple[Side, Side], float] = defaultdict(float)
        self.tries: dict[tuple[Side, Side], int] = defaultdict(int)

    def add(self, groups: Groups) -> None:
        for side, other, points in _comparisons(groups):
            self.wins[side, other] += points
            self.tries[side, other] += 1


def _comparisons(groups: Groups) -> Iterator[tuple[Side, Side, float]]:
    """Every pair of different sides, from both ends."""
    placed = [(side, place) for place, group in enumerate(groups) for side in group]
    for (a, place_a), (b, place_b) in combinations(placed, 2):
        if a != b:
            points = 0.5 if place_a == place_b else float(place_a < place_b)
            yield a, b, points
            yield b, a, 1 - points


def _surprises(groups: Groups, everybody: _Record, own: _Record) -> Iterator[tuple[Side, float]]:
    """For each side of a ranking, by how much more it won than with the others, from −1 to 1."""
    found: dict[Side, list[float]] = defaultdict(list)
    for side, other, points in _comparisons(groups):
        pair = side, other
        wins = everybody.wins[pair] - own.wins[pair]
        tries = everybody.tries[pair] - own.tries[pair]
        found[side].append(points - (wins + 1) / (tries + 2))
    for side, rows in found.items():
        yield side, sum(rows) / len(rows)
