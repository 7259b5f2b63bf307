"""How many people are asked about one item: fewer when it is clear, more when they differ. Pure."""

from collections.abc import Sequence
from enum import StrEnum

from tasks_app import dawid_skene
from tasks_app.dawid_skene import Skill

LEAST, MOST = 2, 5


class Verdict(StrEnum):
    """What to do with an item after the votes so far."""

    MORE = "more"  # ask one more person
    ACCEPT = "accept"
    REJECT = "reject"
    ESCALATE = "escalate"  # people differ: a moderator decides


def enough(
    votes: Sequence[tuple[bool, Skill]],
    *,
    prior: float,
    threshold: float,
    least: int = LEAST,
    most: int = MOST,
) -> Verdict:
    """Decide as soon as the posterior of yes or of no reaches `threshold`, above ½.

    Before `least` votes nothing is decided, after `most` nobody else is asked.
    """
    if len(votes) < least:
        return Verdict.MORE
    is_true = dawid_skene.posterior(votes, prior)
    if is_true >= threshold:
        return Verdict.ACCEPT
    if 1 - is_true >= threshold:
        return Verdict.REJECT
    return Verdict.MORE if len(votes) < most else Verdict.ESCALATE
