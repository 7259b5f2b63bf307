"""Truth and skill from many people's yes and no: Dawid and Skene's model. Pure.

Everybody has two coins, one for what is true and one for what is not. What yes means, the caller
knows: that a message may stay, or that it is spam.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import exp, log
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Worker = TypeVar("Worker", bound=Hashable)
Item = TypeVar("Item", bound=Hashable)
Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

# Tuned with `python -m tests.benchmarks crowd`, on seeds that its figures do not come from.
STRENGTH = 4.0  # votes of the crowd's mean that everybody starts with, on each of the two coins
ROUNDS = 100
PRECISION = 1e-5  # rounds end when no truth moves by more
# Doubt takes weight away, and nobody earns more than one vote: where the best counted for more, one
# slip of theirs among three votes would overrule two people (a rejection needs two fifths).
MOST_WEIGHT = 1.0
FEW = 20  # votes below which nobody is called doubtful
DOUBTFUL = 0.5  # weight below which somebody is
# Nobody is surer than this, whatever they did so far.
_LEAST, _MOST = 0.01, 0.99
_FAR = 500.0  # log-odds beyond which exp() has nothing to add
_ANCHOR = 2.0  # votes of a typical person that even the crowd's mean starts with


@dataclass(frozen=True)
class Skill:
    """How somebody votes: `sensitivity` is P(yes | true), `specificity` P(no | not true)."""

    sensitivity: float
    specificity: float
    n: int


TYPICAL = Skill(0.9, 0.9, 0)


@dataclass(frozen=True)
class Fit:
    """What the votes say: everybody's skill, P(true) of each item, P(true) of an unknown one."""

    skills: dict[Hashable, Skill]
    truths: dict[Hashable, float]
    prior: float
    mean: Skill


@dataclass(frozen=True)
class Known:
    """A crowd that was fitted before. The skills of these people, the mean and the prior stay."""

    skills: Mapping[Any, Skill]
    mean: Skill
    prior: float


def fit(
    votes: Iterable[tuple[Worker, Item, bool]],
    *,
    gold: Mapping[Item, bool] | None = None,
    known: Known | None = None,
    strength: float = STRENGTH,
    rounds: int = ROUNDS,
) -> Fit:
    """Estimate skills and truths by expectation maximisation, starting from the majority.

    Items in `gold` are known and never move; they teach skills, but not how common truth is.
    Skills are posterior means under a Beta prior of weight `strength` around the crowd's mean, so
    that newcomers count like anybody. With `known`, `votes` are all on the items on which the
    people to be fitted voted: what the others think of these is weighed as before, and what they
    are found to be tells nothing. Memory and time grow with the votes, and equal votes in
    equal order give equal results. Source: Dawid & Skene 1979, equations 2.3 to 2.5.
    """
    table = _Table(votes, gold or {}, known.skills if known else {})
    truth = table.shares()
    sensitivity = specificity = np.empty(0)
    mean, prior = (known.mean, known.prior) if known else (TYPICAL, 0.5)
    for _ in range(rounds):
        if known is None:
            mean, prior = table.mean(truth), table.prior(truth)
        sensitivity, specificity = table.skills(truth, strength, mean)
        before, truth = truth, table.truths(sensitivity, specificity, prior)
        if not truth.size or np.abs(truth - before).max() < PRECISION:
            break
    counts = table.counts.astype(int).tolist()
    rows = zip(sensitivity.tolist(), specificity.tolist(), counts, strict=True)
    return Fit(
        skills=dict(zip(table.workers, (Skill(*row) for row in rows), strict=True)),
        truths=dict(zip(table.items, truth.tolist(), strict=True)),
        prior=prior,
        mean=mean,
    )


def posterior(votes: Iterable[tuple[bool, Skill]], prior: float) -> float:
    """P(true) of one item after the votes of people of known skill. `prior` lies inside (0, 1)."""
    odds = log(prior / (1 - prior))
    for is_yes, skill in votes:
        hit, false_alarm = skill.sensitivity, 1 - skill.specificity
        odds += log(hit / false_alarm) if is_yes else log((1 - hit) / (1 - false_alarm))
    return 1 / (1 + exp(-odds)) if odds > 0 else exp(odds) / (1 + exp(odds))


def weight(skill: Skill, mean: Skill = TYPICAL) -> float:
    """What a vote counts in a weighted mean: 1 for the crowd's mean, 0 for a guess or worse.

    In proportion to the log-odds of being right on an item that is as likely true as not, which
    is the best weight of a majority vote. Source: Nitzan & Paroush 1982.
    """
    typical = _log_odds(mean)
    if typical <= 0:
        return 1.0  # a crowd that only guesses has no order of merit
    return min(MOST_WEIGHT, max(0.0, _log_odds(skill)) / typical)


def is_doubtful(skill: Skill, mean: Skill = TYPICAL) -> bool:
    """Whether a moderator should have a look at how this person votes; never a verdict."""
    return skill.n >= FEW and weight(skill, mean) < DOUBTFUL


def _log_odds(skill: Skill) -> float:
    right = (skill.sensitivity + skill.specificity) / 2
    return log(right / (1 - right))


class _Table:
    """Votes as arrays: on which item, and whose vote how (no of worker w: w, yes: w + workers)."""

    def __init__(
        self,
        votes: Iterable[tuple[Hashable, Hashable, bool]],
        gold: Mapping,
        known: Mapping[Any, Skill],
    ) -> None:
        workers: dict[Hashable, int] = {}
        items: dict[Hashable, int] = {}
        rows = [
            (workers.setdefault(who, len(workers)), items.setdefault(what, len(items)), is_yes)
            for who, what, is_yes in votes
        ]
        columns = np.array(rows, dtype=np.intp).reshape(-1, 3)
        self.workers, self.items = list(workers), list(items)
        self._vote: Ints = columns[:, 0] + columns[:, 2] * len(workers)
        self._item: Ints = np.ascontiguousarray(columns[:, 1])
        self._noes, self._yeses = self._per_vote(np.ones(len(rows)))
        # NaN for what is not known, and for those who are to be fitted.
        skills = [known.get(worker) for worker in workers]
        self._known = np.array(
            [(s.sensitivity, s.specificity) if s else (np.nan, np.nan) for s in skills],
            dtype=np.float64,
        ).reshape(-1, 2)
        self._gold = np.array([float(gold.get(item, np.nan)) for item in items], dtype=np.float64)
        self._open = np.isnan(self._gold)

    @property
    def counts(self) -> Floats:
        """How often each worker voted."""
        return self._noes + self._yeses

    def shares(self) -> Floats:
        """The share of yes of each item, as a first guess."""
        is_yes = (self._vote >= len(self.workers)).astype(np.float64)
        return self._with_gold(self._per_item(is_yes) / self._per_item(np.ones_like(is_yes)))

    def prior(self, truth: Floats) -> float:
        """P(true) of an item that nobody knows."""
        found = truth[self._open]
        return float((found.sum() + 1) / (found.size + 2))

    def mean(self, truth: Floats) -> Skill:
        """Sensitivity and specificity of the crowd as a whole."""
        hits, trues, passes, falses = self._tries(truth)
        return Skill(
            _anchored(hits.sum(), trues.sum(), TYPICAL.sensitivity),
            _anchored(passes.sum(), falses.sum(), TYPICAL.specificity),
            len(self._vote),
        )

    def skills(self, truth: Floats, strength: float, mean: Skill) -> tuple[Floats, Floats]:
        """Sensitivity and specificity of everybody."""
        hits, trues, passes, falses = self._tries(truth)
        sensitivity = (hits + strength * mean.sensitivity) / (trues + strength)
        specificity = (passes + strength * mean.specificity) / (falses + strength)
        found = np.stack([sensitivity, specificity]).clip(_LEAST, _MOST)
        sensitivity, specificity = np.where(np.isnan(self._known.T), found, self._known.T)
        return sensitivity, specificity

    def _tries(self, truth: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Everybody's yeses on what is true, of so many, and noes on what is not, of so many."""
        misses, hits = self._per_vote(truth[self._item])
        trues = hits + misses
        return hits, trues, self._noes - misses, self.counts - trues

    def truths(self, sensitivity: Floats, specificity: Floats, prior: float) -> Floats:
        """P(true) of each item by Bayes' rule."""
        of_no = np.log((1 - sensitivity) / specificity)
        of_yes = np.log(sensitivity / (1 - specificity))
        found = np.concatenate([of_no, of_yes])[self._vote]
        odds = self._per_item(found) + log(prior / (1 - prior))
        return self._with_gold(1 / (1 + np.exp(-odds.clip(-_FAR, _FAR))))

    def _with_gold(self, truth: Floats) -> Floats:
        return np.where(self._open, truth, self._gold)

    def _per_item(self, values: Floats) -> Floats:
        return np.bincount(self._item, values, len(self.items)).astype(np.float64)

    def _per_vote(self, values: Floats) -> Floats:
        """(2, workers): sums over everybody's noes and over everybody's yeses."""
        sums = np.bincount(self._vote, values, 2 * len(self.workers)).astype(np.float64)
        return sums.reshape(2, -1)


def _anchored(hits: float, tries: float, typical: float) -> float:
    share = (hits + _ANCHOR * typical) / (tries + _ANCHOR)
    return float(min(_MOST, max(_LEAST, share)))
