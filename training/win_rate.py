"""How often one side's replies were put before another's in blind rankings, and how sure that is.

Pure. A side is who wrote: "new", "previous", "human". Ties count half for either.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import NormalDist

# Below these a win-rate is chance: no number is given.
MIN_COMPARISONS = 30
MIN_PROMPTS = 5
CONFIDENCE = 0.95
RESAMPLES = 2000


@dataclass(frozen=True)
class Ballot:
    """One person's order of the replies to one prompt: groups of ties, best first.

    A group names the side of each of its replies, so a side can stand in it more than once.
    """

    prompt: str
    groups: Sequence[Sequence[str]]


@dataclass(frozen=True)
class WinRate:
    """The share of comparisons in which `side` was preferred to `other`.

    A comparison is one reply of each side in one ranking. `low` and `high` come from a bootstrap
    over prompts, for the comparisons of one prompt are alike; `wilson_low` and `wilson_high` take
    each comparison by itself (Wilson 1927). All are None where `is_enough` is false.
    """

    side: str
    other: str
    n: int  # comparisons
    prompts: int
    rankings: int
    wins: int
    ties: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    wilson_low: float | None = None
    wilson_high: float | None = None

    @property
    def is_enough(self) -> bool:
        return self.n >= MIN_COMPARISONS and self.prompts >= MIN_PROMPTS

    @property
    def percent(self) -> float | None:
        return None if self.value is None else 100 * self.value

    @property
    def low_percent(self) -> float | None:
        return None if self.low is None else 100 * self.low

    @property
    def high_percent(self) -> float | None:
        return None if self.high is None else 100 * self.high


@dataclass
class _Tally:
    wins: int = 0
    ties: int = 0
    n: int = 0
    rankings: int = 0

    @property
    def points(self) -> float:
        return self.wins + self.ties / 2


def win_rate(
    ballots: Iterable[Ballot],
    side: str,
    other: str,
    *,
    rng: random.Random,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> WinRate:
    """Compare two sides over all ballots that have both. `rng` draws the bootstrap."""
    by_prompt: dict[str, _Tally] = defaultdict(_Tally)
    for ballot in ballots:
        _count(ballot.groups, side, other, by_prompt[ballot.prompt])
    tallies = [tally for tally in by_prompt.values() if tally.n]
    found = WinRate(
        side=side,
        other=other,
        n=sum(tally.n for tally in tallies),
        prompts=len(tallies),
        rankings=sum(tally.rankings for tally in tallies),
        wins=sum(tally.wins for tally in tallies),
        ties=sum(tally.ties for tally in tallies),
    )
    if not found.is_enough:
        return found
    points = found.wins + found.ties / 2
    low, high = _bootstrap(tallies, confidence, resamples, rng)
    wilson_low, wilson_high = wilson(points, found.n, confidence)
    return replace(
        found,
        value=points / found.n,
        low=low,
        high=high,
        wilson_low=wilson_low,
        wilson_high=wilson_high,
    )


def wilson(successes: float, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The score interval of a share; ties may make `successes` end in a half. Needs n > 0."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, scale = successes / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    reach = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _count(groups: Sequence[Sequence[str]], side: str, other: str, tally: _Tally) -> None:
    """Add every comparison of one ranking: each reply of one side with each of the other."""
    ours = [place for place, group in enumerate(groups) for name in group if name == side]
    theirs = [place for place, group in enumerate(groups) for name in group if name == other]
    if ours and theirs:
        tally.rankings += 1
    for mine in ours:
        for yours in theirs:
            tally.n += 1
            tally.wins += mine < yours
            tally.ties += mine == yours


def _bootstrap(
    tallies: Sequence[_Tally], confidence: float, resamples: int, rng: random.Random
) -> tuple[float, float]:
    """Percentiles of the share over prompts drawn with replacement (Efron 1979)."""
    shares = []
    for _ in range(resamples):
        drawn = rng.choices(tallies, k=len(tallies))
        shares.append(sum(tally.points for tally in drawn) / sum(tally.n for tally in drawn))
    shares.sort()
    cut = int((1 - confidence) / 2 * resamples)
    return shares[cut], shares[-1 - cut]
