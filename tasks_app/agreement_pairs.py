"""How often two people who judged the same messages agree, from plain votes. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import combinations
from math import fsum
from typing import Any

from tasks_app.ranking import kendall_tau

Vote = tuple[Any, Hashable, Any]  # person (ids that can be sorted), message, what was said
Alike = Callable[[Any, Any], float | None]  # None where it cannot be said


@dataclass(frozen=True)
class Shared:
    """How much two people agree, on average over the `n` messages that both judged."""

    mean: float
    n: int


Pairs = dict[tuple[int, int], Shared]


def same(one: float, other: float) -> float:
    """1 for the same answer, else 0: the mean is the share of equal answers."""
    return float(one == other)


tau = kendall_tau  # of two orders of the same replies: the mean is a mean τ-b


def most_active(votes: Iterable[Vote], number: int) -> list[Any]:
    """Those with the most votes, first the one with most; ties break on the person."""
    counted = Counter(person for person, _message, _said in votes)
    return nsmallest(number, counted, key=lambda person: (-counted[person], person))


def pairs(votes: Iterable[Vote], people: Sequence[Hashable], alike: Alike) -> Pairs:
    """What each two of `people` share, by their places in it, the smaller one first.

    Two who have nothing in common are left out.
    """
    place = {person: at for at, person in enumerate(people)}
    said: dict[Hashable, list[tuple[int, Any]]] = defaultdict(list)
    for person, message, what in votes:
        if person in place:
            said[message].append((place[person], what))
    found: dict[tuple[int, int], list[float]] = defaultdict(list)
    for given in said.values():
        for (a, one), (b, other) in combinations(given, 2):
            much = alike(one, other)
            if much is not None:
                found[min(a, b), max(a, b)].append(much)
    return {pair: Shared(fsum(each) / len(each), len(each)) for pair, each in found.items()}


def with_others(shared: Pairs, place: int) -> Shared | None:
    """The mean over all that one of the people shares with the others."""
    mine = [one for pair, one in shared.items() if place in pair]
    n = sum(one.n for one in mine)
    return Shared(fsum(one.mean * one.n for one in mine) / n, n) if n else None
