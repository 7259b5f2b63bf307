"""From the votes on one message to what is counted of it, and how much people differ. No database.

A *measure* is a label, or `RANKINGS`: the order of the replies. The profile of a label says how
many people gave each step; that of rankings holds the number of pairs of people, the sum of their
Kendall's τ-b, and W.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import fsum, nan

from tasks_app.agreement import Level
from tasks_app.labels import FORMS, LABELS, Widget
from tasks_app.ranking import Groups, concordance, kendall_tau

RANKINGS = "rankings"
# The labels that reviews ask for, in the order of the catalogue.
ASKED = tuple(name for name in LABELS if any(name in form.valid for form in FORMS.values()))
# Two people who judged the message differ by so much of the scale, on average, that it is worth a
# look: of five votes one against four, or rankings with a mean τ of 0.2 or less.
WORTH_A_LOOK = 0.4


def level(label: str) -> Level:
    """Scales have an order, questions and flags do not."""
    return Level.ORDINAL if LABELS[label].widget == Widget.LIKERT else Level.NOMINAL


def of_labels(sets: Sequence[Mapping[str, float]]) -> dict[str, tuple[int, ...]]:
    """Profile of each label that two people or more have answered."""
    found = {}
    for name in ASKED:
        label = LABELS[name]
        given = [labels[name] for labels in sets if name in labels]
        profile = tuple(given.count(step) for step in label.steps)
        if sum(profile) > 1:
            found[name] = profile
    return found


def of_rankings(rankings: Sequence[Groups[str]]) -> tuple[float, ...] | None:
    """Pairs of people, the sum of their τ-b, and W (NaN if undefined) of two rankings or more."""
    taus = [kendall_tau(one, other) for one, other in combinations(rankings, 2)]
    defined = [tau for tau in taus if tau is not None]
    if not defined:
        return None
    w = concordance(rankings)
    return len(defined), fsum(defined), nan if w is None else w


def dissent(measure: str, profile: Sequence[float]) -> float:
    """By how much of the scale, from 0 to 1, two people differ on average."""
    if measure == RANKINGS:
        pairs, taus, _w = profile
        return min(1.0, max(0.0, (1 - taus / pairs) / 2))
    steps, votes = LABELS[measure].steps, sum(profile)
    apart = fsum(
        profile[a] * profile[b] * (steps[b] - steps[a])
        for a, b in combinations(range(len(steps)), 2)
    )
    return apart / (votes * (votes - 1) / 2)


def votes(measure: str, profile: Sequence[float]) -> int:
    """How many people voted; of rankings, those of whom a τ is known."""
    if measure != RANKINGS:
        return round(sum(profile))
    return round((1 + (1 + 8 * profile[0]) ** 0.5) / 2)


def write(profile: Sequence[float]) -> str:
    """A profile as text, the same for the same votes in any order."""
    return " ".join(f"{number:.12g}" for number in profile)


def read(text: str) -> tuple[float, ...]:
    """What `write` wrote."""
    return tuple(float(number) for number in text.split())
