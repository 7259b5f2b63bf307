"""What simulated people answer: honest ones as the file has it, with slips; trolls at random.

Pure, but for the random generator that is passed in.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from tasks_app.labels import LABELS, Widget
from tasks_app.reviews import is_accepted
from tasks_app.simulation.script import Line

P_FLIP = 0.05  # per answer
P_SWAP = 0.1  # per pair of neighbours in a ranking
P_SKIPPED_LABEL = 0.3
P_NOT_RANKABLE = 0.2

_STEP = 0.25
_FINE = {"quality": 0.75, "helpfulness": 0.75, "creativity": 0.5}  # other labels: 0

Labels = dict[str, float]


@dataclass(frozen=True)
class Jury:
    """How many review a message, and what an accepted one scores more than."""

    reviews: int
    threshold: float

    @property
    def bearable(self) -> int:
        """Most objections that an accepted message can have."""
        counts = range(self.reviews + 1)
        return max(n for n in counts if n == 0 or is_accepted(1 - n / self.reviews, self.threshold))


def review(line: Line, turn: int, jury: Jury, valid: Iterable[str], rng: random.Random) -> Labels:
    """The answers of reviewer number `turn` (from 0) to a message of the file."""
    asked = [name for name in valid if _is_answered(line, name)]
    wanted = {name: _share(line, name, turn, jury) for name in asked}
    return {name: _slip(name, value, rng) for name, value in wanted.items()}


def approve(valid: Iterable[str], rng: random.Random) -> Labels:
    """The answers to an acceptable message that is not in the file."""
    return {name: _slip(name, _FINE.get(name, 0.0), rng) for name in valid}


def object_to(valid: Iterable[str], rng: random.Random) -> Labels:
    """The answers to spam."""
    values = {name: 1.0 if name == "spam" else 0.0 for name in valid}
    return {name: _slip(name, value, rng) for name, value in values.items()}


def at_random(valid: Iterable[str], mandatory: Iterable[str], rng: random.Random) -> Labels:
    """The answers of somebody who does not read."""
    kept = [n for n in valid if n in mandatory or rng.random() > P_SKIPPED_LABEL]
    return {name: rng.choice(LABELS[name].steps) for name in kept}


def rank(shown: Sequence[tuple[str, Line | None]], rng: random.Random) -> list[list[str]]:
    """Groups of ties, best first: the file's ranks, then what it did not rank, then the rest."""
    ranked = sorted(
        (line.node.rank, key) for key, line in shown if line and line.node.rank is not None
    )
    unranked = [key for key, line in shown if line and line.node.rank is None]
    strangers = [key for key, line in shown if line is None]
    groups = [[key] for _, key in ranked] + [group for group in (unranked, strangers) if group]
    return _with_slips(groups, rng)


def rank_by(
    taste: Callable[[str], float], shown: Sequence[tuple[str, str]], rng: random.Random
) -> list[list[str]]:
    """Groups of ties, best first: the texts that the taste gives most, with slips."""
    liked = {key: taste(text) for key, text in shown}
    ordered = sorted(liked, key=lambda key: -liked[key])
    groups = [list(group) for _, group in groupby(ordered, key=liked.__getitem__)]
    return _with_slips(groups, rng)


def _with_slips(groups: list[list[str]], rng: random.Random) -> list[list[str]]:
    for place in range(len(groups) - 1):
        if rng.random() < P_SWAP:
            groups[place], groups[place + 1] = groups[place + 1], groups[place]
    return groups


def rank_at_random(shown: Sequence[str], rng: random.Random) -> list[list[str]]:
    """Any order with any ties; empty says that it cannot be ranked."""
    if rng.random() < P_NOT_RANKABLE:
        return []
    order = rng.sample(shown, len(shown))
    groups: list[list[str]] = []
    for key in order:
        if groups and rng.random() < P_SWAP:
            groups[-1].append(key)
        else:
            groups.append([key])
    return groups


def _is_answered(line: Line, name: str) -> bool:
    return name in {"spam", "lang_mismatch"} or not line.node.labels or name in line.node.labels


def _share(line: Line, name: str, turn: int, jury: Jury) -> float:
    """This reviewer's part of the published mean, so that all together come near to it."""
    if name in {"spam", "lang_mismatch"}:
        return float(turn < _objections(line, jury)[name])
    mean = _mean(line, name)
    if LABELS[name].widget != Widget.LIKERT:
        return float(turn < round(mean * jury.reviews))
    low = mean // _STEP
    raised = turn < round((mean / _STEP - low) * jury.reviews)
    return min(1.0, (low + raised) * _STEP)


def _mean(line: Line, name: str) -> float:
    known = line.node.labels.get(name)
    if known is not None:
        return known.value
    return 0.0 if line.node.labels else _FINE.get(name, 0.0)


def _objections(line: Line, jury: Jury) -> dict[str, int]:
    """How many reviewers object, and why: the published means, made to give the verdict."""
    spam = round(_mean(line, "spam") * jury.reviews)
    mismatch = round(_mean(line, "lang_mismatch") * jury.reviews)
    if line.verdict is False:
        spam = max(spam, jury.bearable + 1 - mismatch)
    else:
        spam = min(spam, jury.bearable)
        mismatch = min(mismatch, jury.bearable - spam)
    return {"spam": spam, "lang_mismatch": mismatch}


def _slip(name: str, value: float, rng: random.Random) -> float:
    if rng.random() >= P_FLIP:
        return value
    if LABELS[name].widget != Widget.LIKERT:
        return 1.0 - value
    return min(1.0, max(0.0, value + rng.choice((-_STEP, _STEP))))
