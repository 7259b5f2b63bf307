"""How well somebody ranks: agreement with what the others who ranked the same agree on. Pure."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import atanh
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks_app.ranking import Groups

Floats = NDArray[np.float64]

# Tuned as in dawid_skene.py.
STRENGTH = 4.0  # rankings of the crowd's mean that everybody starts with
ROUNDS = 5
MOST_WEIGHT = 1.25  # nobody counts for more than so many people of the crowd's mean
FEW = 10  # rankings below which nobody is called doubtful
DOUBTFUL = 0.25  # weight below which somebody is
TYPICAL_TAU = 0.6
_ANCHOR = 2.0  # rankings of a typical person that even the crowd's mean starts with
_MOST_TAU = 0.98
_TIE = 1e-9  # margins nearer to 0 are rounding errors


@dataclass(frozen=True)
class RankerSkill:
    """Mean τ-b with the consensus of the others, from −1 to 1, of `n` rankings."""

    agreement: float
    n: int


TYPICAL = RankerSkill(TYPICAL_TAU, 0)


@dataclass(frozen=True)
class RankerFit:
    """Everybody's skill, shrunk to the crowd's mean."""

    skills: dict[Hashable, RankerSkill]
    mean: RankerSkill


def fit(
    rankings: Iterable[tuple[Hashable, Hashable, Groups]],
    *,
    gold: Mapping[Any, Groups] | None = None,
    strength: float = STRENGTH,
    rounds: int = ROUNDS,
) -> RankerFit:
    """Skills from (who, what was ranked, groups of ids, best first).

    The consensus that a ranking is held against is the majority of the others for each pair of
    ids; from the second round on their votes count by their skill of the round before. What is in
    `gold` is held against that order instead. A ranking that nothing can be held against counts
    for nothing. Shrunk by a prior of weight `strength` around the crowd's mean, so that newcomers
    count like anybody. Deterministic.
    """
    table = _Table(rankings, gold or {})
    weights = np.ones(len(table.workers))
    agreement, counts, mean = np.empty(0), np.empty(0, dtype=np.intp), TYPICAL
    for _ in range(max(1, rounds)):
        agreement, counts, mean = table.agreement(weights, strength)
        weights = np.array([_weight(value, mean.agreement) for value in agreement.tolist()])
    rows = zip(agreement.tolist(), counts.tolist(), strict=True)
    skills = dict(zip(table.workers, (RankerSkill(*row) for row in rows), strict=True))
    return RankerFit(skills, mean)


def weight(skill: RankerSkill, mean: RankerSkill = TYPICAL) -> float:
    """What a ranking counts: 1 for the crowd's mean, 0 for one that agrees by chance or less.

    In proportion to the log-odds of having a pair the right way round, (1 + τ) / 2.
    """
    return _weight(skill.agreement, mean.agreement)


def is_doubtful(skill: RankerSkill, mean: RankerSkill = TYPICAL) -> bool:
    """Whether a moderator should have a look at how this person ranks; never a verdict."""
    return skill.n >= FEW and weight(skill, mean) < DOUBTFUL


def _weight(agreement: float, mean: float) -> float:
    if mean <= 0:
        return 1.0  # a crowd that only guesses has no order of merit
    typical = atanh(min(_MOST_TAU, mean))
    return min(MOST_WEIGHT, atanh(min(_MOST_TAU, max(0.0, agreement))) / typical)


class _Table:
    """Rankings as arrays of pairs: whose ranking, which pair, which of the two is better."""

    def __init__(
        self, rankings: Iterable[tuple[Hashable, Hashable, Groups]], gold: Mapping[Any, Groups]
    ) -> None:
        known = {item: dict(_signs(groups)) for item, groups in gold.items()}
        workers: dict[Hashable, int] = {}
        pairs: dict[Hashable, int] = {}
        who: list[int] = []
        rows: list[tuple[int, int, int, float]] = []
        for worker, item, groups in rankings:
            number = len(who)
            who.append(workers.setdefault(worker, len(workers)))
            for pair, sign in _signs(groups):
                truth = known[item].get(pair, 0) if item in known else np.nan
                rows.append((number, pairs.setdefault((item, pair), len(pairs)), sign, truth))
        columns = np.array(rows, dtype=np.float64).reshape(-1, 4)
        self.workers = list(workers)
        self._worker = np.array(who, dtype=np.intp)
        self._ranking, self._pair = columns[:, :2].astype(np.intp).T
        self._sign, self._gold = columns[:, 2], columns[:, 3]

    def agreement(
        self, weights: Floats, strength: float
    ) -> tuple[Floats, NDArray[np.intp], RankerSkill]:
        """Shrunk agreement and number of rankings of everybody, and of the crowd as a whole."""
        taus = self._taus(weights)
        known = ~np.isnan(taus)
        size = len(self.workers)
        counts = np.bincount(self._worker[known], minlength=size)
        sums = np.bincount(self._worker[known], taus[known], minlength=size)
        mean = float((sums.sum() + _ANCHOR * TYPICAL_TAU) / (counts.sum() + _ANCHOR))
        shrunk = (sums + strength * mean) / (counts + strength)
        return shrunk, counts, RankerSkill(mean, int(counts.sum()))

    def _taus(self, weights: Floats) -> Floats:
        """τ-b of each ranking with gold or the others' margins; NaN where it is not defined."""
        votes = weights[self._worker[self._ranking]] * self._sign
        margins = np.bincount(self._pair, votes)[self._pair] - votes if votes.size else votes
        found = np.sign(np.where(np.abs(margins) < _TIE, 0.0, margins))
        others = np.where(np.isnan(self._gold), found, self._gold)
        concordance = self._per_ranking(self._sign * others)
        untied = self._per_ranking(np.abs(self._sign)) * self._per_ranking(np.abs(others))
        return np.where(untied > 0, concordance / np.sqrt(np.maximum(untied, 1)), np.nan)

    def _per_ranking(self, values: Floats) -> Floats:
        return np.bincount(self._ranking, values, len(self._worker)).astype(np.float64)


def _signs(groups: Groups) -> Iterator[tuple[tuple[Any, Any], int]]:
    """Each pair of ids in a fixed order: 1 if the first is better, −1 if the second, 0 if tied."""
    placed = sorted((key, place) for place, group in enumerate(groups) for key in group)
    for (a, place_a), (b, place_b) in combinations(placed, 2):
        yield (a, b), (place_a < place_b) - (place_a > place_b)
