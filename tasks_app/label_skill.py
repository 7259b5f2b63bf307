"""How well somebody labels: how near to what the others say of the same messages. Pure.

Agreement is that of Krippendorff's α, of one person with the others: 1 − what their answers
differ by, squared, over what answers drawn by chance would.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks_app.ranker_skill import RankerSkill

Floats = NDArray[np.float64]
# Who, about which message, and the answers to each label of a group; None: not answered.
Answers = tuple[Hashable, Hashable, Sequence[float | None]]

# Tuned as in dawid_skene.py. Both are squared differences as chance would have them, so that rare
# labels, which tell little, move nobody: a message weighs 0.2 on three scales, flags much less.
STRENGTH = 1.0  # of the crowd's mean that everybody starts with
_ANCHOR = 1.0  # of a typical person that even the crowd's mean starts with
_TYPICAL = 0.5
FEW = 20  # messages below which nobody is called doubtful
DOUBTFUL = 0.4  # weight below which somebody is


@dataclass(frozen=True)
class LabelFit:
    """Everybody's agreement, shrunk to the crowd's mean, and the variance of each label."""

    skills: dict[Hashable, RankerSkill]
    mean: RankerSkill
    spreads: list[float]


@dataclass(frozen=True)
class Known:
    """A crowd that was fitted before: its mean, and the variance of each label."""

    mean: RankerSkill
    spreads: Sequence[float]


def fit(answers: Iterable[Answers], labels: int, *, known: Known | None = None) -> LabelFit:
    """What the answers to a group of so many labels say of each person.

    With `known`, of some people in that crowd: `answers` are all to the messages that they
    answered. The mean is that of the person in the middle, so that many who answer at random do
    not make the others look better than they are. Where nobody else answered, nothing is said.
    """
    table = _Table(answers, labels)
    spreads = table.spreads() if known is None else np.array(known.spreads, dtype=np.float64)
    expected = table.counts @ spreads
    if known is None:
        chance, apart = expected.sum() + _ANCHOR, table.apart.sum() + _ANCHOR * (1 - _TYPICAL)
        near = _shrunk(table.apart, expected, 1 - apart / chance)
        mean = RankerSkill(float(np.median(near)) if near.size else _TYPICAL, table.n)
    else:
        mean = known.mean
    found = _shrunk(table.apart, expected, mean.agreement).tolist()
    messages = table.counts.max(axis=1, initial=0).astype(int).tolist()
    rows = zip(table.workers, found, messages, strict=True)
    skills = {who: RankerSkill(agreement, n) for who, agreement, n in rows if n}
    return LabelFit(skills, mean, spreads.tolist())


def weight(skill: RankerSkill, mean: RankerSkill) -> float:
    """What an answer counts in a weighted mean: 1 for the crowd's mean and above.

    In inverse proportion to its squared error, which is the best weight of a mean.
    """
    return min(1.0, (1 - mean.agreement) / max(1e-9, 1 - skill.agreement))


def is_doubtful(skill: RankerSkill, mean: RankerSkill) -> bool:
    """Whether a moderator should have a look at how this person labels; never a verdict."""
    return skill.n >= FEW and weight(skill, mean) < DOUBTFUL


def _shrunk(apart: Floats, expected: Floats, mean: float) -> Floats:
    found = 1 - (apart + STRENGTH * (1 - mean)) / (expected + STRENGTH)
    return np.maximum(-1.0, found)


class _Table:
    """Everybody's answers beside those of the others to the same label of the same message.

    `apart` (workers,) sums the squared differences from the mean of the m others, times
    m / (m + 1), so that they do not depend on m; `counts` (workers, labels) says how many.
    """

    def __init__(self, answers: Iterable[Answers], labels: int) -> None:
        workers: dict[Hashable, int] = {}
        items: dict[Hashable, int] = {}
        who, what, rows = [], [], []
        for worker, item, values in answers:
            who.append(workers.setdefault(worker, len(workers)))
            what.append(items.setdefault(item, len(items)))
            rows.append(values)
        self.workers = list(workers)
        self._who, self._what = np.array(who, dtype=np.intp), np.array(what, dtype=np.intp)
        self._values = np.array(rows, dtype=np.float64).reshape(-1, labels)  # None becomes NaN
        self._compared = np.zeros(self._values.shape, dtype=bool)
        self.apart = np.zeros(len(workers))
        self.counts = np.zeros((len(workers), labels))
        for label in range(labels):
            self._compare(label)

    def _compare(self, label: int) -> None:
        values = self._values[:, label]
        said = ~np.isnan(values)
        votes = np.bincount(self._what[said])
        total = np.bincount(self._what[said], values[said])
        shared = said.copy()
        shared[said] = votes[self._what[said]] > 1
        who, what, mine = self._who[shared], self._what[shared], values[shared]
        others = votes[what] - 1
        apart = (mine - (total[what] - mine) / others) ** 2 * others / (others + 1)
        self.apart += np.bincount(who, apart, len(self.workers))
        self.counts[:, label] = np.bincount(who, minlength=len(self.workers))
        self._compared[:, label] = shared

    @property
    def n(self) -> int:
        """How many answer sets were compared."""
        return int(self._compared.any(axis=1).sum())

    def spreads(self) -> Floats:
        """(labels,): the variance of the answers that were compared."""
        columns = zip(self._values.T, self._compared.T, strict=True)
        return np.array([values[it].var() if it.any() else 0.0 for values, it in columns])
