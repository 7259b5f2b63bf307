"""Whether what somebody does can be relied on, by what became of it (pure).

Each contribution is looked at together with those that follow it, so what gives somebody away
reaches back to what they did before, and one odd contribution among good ones is nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from leaderboard_app import estimates

# So many decided contributions are looked at together: one and those after it. While fewer
# follow, those before it make the number full.
SPAN = 100
# Everybody begins each record with as good as some contributions of an honest person, so that one
# odd one of a newcomer is nothing.
BEGINS_WITH = 4
OF_THE_HONEST = 0.85
# Reviews at random come to 0.6, rankings to 0.5. Honest reviews come to 0.9, rankings to 0.87 (the
# three annotators of PandaLM).
VOTES_ARE_GOOD = 0.7
# Rankings count once the votes are that good beyond luck: at the lower end of the interval that
# holds nine in ten, as if each vote were right or wrong, without anything to begin with. Two
# replies are in the others' order by chance every other time; of who orders them so, one in thirty
# gets by after five, one in a hundred after ten.
BEYOND_LUCK = 1.28
# Junk is hardly ever accepted, and who calls everything good never objects; half and half is 0.5.
SENSE_IS_GOOD = 0.65
# In a short time that passes by luck. So whoever was wrong more than once, or never right, waits,
# as long as there is less than a full span, until they are right more often than not by more than
# the luck of one in twenty.
SLIPS = 1
MORE_OFTEN_THAN_NOT = 0.5
SENSE_BEYOND_LUCK = 1.64


@dataclass(frozen=True)
class Outcome:
    """What one contribution tells, from 0 to 1; None where it tells nothing.

    `vote` is the closeness of a review or ranking to the others'. `knows` is 1 for a text that was
    accepted and a review that objected to what was plainly rejected, 0 for a text that was and a
    review that did not.
    """

    vote: float | None = None
    knows: float | None = None


def held(outcomes: Sequence[Outcome]) -> list[bool]:
    """Which contributions of one person count nothing, in the order in which they were made."""
    return _by_span(outcomes, _is_poor)


def unsure(outcomes: Sequence[Outcome]) -> list[bool]:
    """Around which of them too little is known for a ranking to count yet."""
    return _by_span(outcomes, _may_be_luck)


def early(outcomes: Sequence[Outcome]) -> bool:
    """Whether it is too early for anything of this person to count."""
    known = [each.knows for each in outcomes if each.knows is not None]
    right = sum(each == 1 for each in known)
    if len(outcomes) >= SPAN or len(known) - right <= min(SLIPS, right):
        return False
    return at_least(fmean(known), len(known), SENSE_BEYOND_LUCK) < MORE_OFTEN_THAN_NOT


def _by_span(outcomes: Sequence[Outcome], judge: Callable[[Sequence[Outcome]], bool]) -> list[bool]:
    last = max(0, len(outcomes) - SPAN)
    starts = [min(number, last) for number in range(len(outcomes))]
    spans = {start: judge(outcomes[start : start + SPAN]) for start in set(starts)}
    return [spans[start] for start in starts]


def _is_poor(span: Sequence[Outcome]) -> bool:
    """Whether the votes are far from the others', or texts and reviews together show no sense of
    what belongs here: who writes junk and calls everything good is near to the others wherever a
    text is good."""
    votes, sense = record(each.vote for each in span), record(each.knows for each in span)
    return votes < VOTES_ARE_GOOD or sense < SENSE_IS_GOOD


def _may_be_luck(span: Sequence[Outcome]) -> bool:
    votes = [each.vote for each in span if each.vote is not None]
    return not votes or at_least(fmean(votes), len(votes), BEYOND_LUCK) < VOTES_ARE_GOOD


def at_least(mean: float, n: int, luck: float) -> float:
    """What the mean of very many like these is not below but by more than so much luck."""
    low, _high = estimates.wilson(mean, n, z=luck)
    return low


def record(values: Iterable[float | None]) -> float:
    """The mean of what is known, after as good as some values of an honest person."""
    known = [value for value in values if value is not None]
    return fmean([*known, *[OF_THE_HONEST] * BEGINS_WITH])


def asked() -> dict[str, int]:
    """The numbers as people read them: contributions, and shares in per cent."""
    shares = {"votes": VOTES_ARE_GOOD, "sense": SENSE_IS_GOOD}
    per_cent = {name: round(100 * share) for name, share in shares.items()}
    return {"span": SPAN, "begins_with": BEGINS_WITH, **per_cent}
