"""What members of the cast answer when they review or rank: near the truth of the content, with
the small differences between people that make agreement worth measuring. Pure."""

import random
from collections.abc import Collection, Sequence
from uuid import UUID

from tasks_app.demo.content import Line
from tasks_app.labels import LABELS, Widget

# What is true of a message where the content is silent; 0 for the others.
TYPICAL = {"quality": 0.5, "helpfulness": 0.5, "creativity": 0.25}
STEP = 0.25

P_UNANSWERED = 0.3  # a scale on which the content is silent
P_ONE_STEP_OFF = 0.3
P_CARELESS = 0.5  # somebody who hardly reads sees spam
P_DISSENT = 0.06  # the last reviewer sees spam where there is none, or the other way round
P_SWAP = 0.3  # the last ranker exchanges two neighbours
P_TIE = 0.25


def review(
    line: Line, valid: Collection[str], rng: random.Random, *, is_last: bool
) -> dict[str, float]:
    """One person's labels on `line`.

    At most the last of three reviewers dissents about spam, so the outcome is the content's.
    """
    values = {}
    for name in valid:
        truth = float(line.labels.get(name, TYPICAL.get(name, 0.0)))
        if LABELS[name].widget != Widget.LIKERT:
            values[name] = truth
        elif name in line.labels or rng.random() >= P_UNANSWERED:
            # Everybody sees what is polite or harmless; how rude the rest is, they differ about.
            is_fine = LABELS[name].inverted and truth == 0
            values[name] = truth if is_fine else _nudged(truth, rng)
    if is_last and rng.random() < P_DISSENT:
        values["spam"] = 1.0 - values["spam"]
    return values


def careless_review(line: Line, valid: Collection[str], rng: random.Random) -> dict[str, float]:
    """The labels of somebody who hardly reads, as the last of three reviewers."""
    values = review(line, valid, rng, is_last=False)
    return values | {"spam": float(rng.random() < P_CARELESS)}


def divided_review(
    line: Line, valid: Collection[str], rng: random.Random, *, number: int
) -> dict[str, float]:
    """The labels of one of several reviewers who see spam by turns, from the second on."""
    values = review(line, valid, rng, is_last=False)
    return values | {"spam": float(number % 2)}


def _nudged(value: float, rng: random.Random) -> float:
    if rng.random() < P_ONE_STEP_OFF:
        value += rng.choice((-STEP, STEP))
    return min(1.0, max(0.0, value))


def order(best_first: Sequence[UUID], rng: random.Random, *, is_last: bool) -> list[list[UUID]]:
    """One person's ranking as groups of ties. At most the last of three rankers differs."""
    groups = [[pk] for pk in best_first]
    if not is_last:
        return groups
    if rng.random() < P_SWAP:
        first = rng.randrange(len(groups) - 1)
        groups[first : first + 2] = reversed(groups[first : first + 2])
    elif rng.random() < P_TIE:
        groups[-2:] = [groups[-2] + groups[-1]]
    return groups
