"""What a contribution is worth, and when its points are confirmed or taken back (pure).

The amounts are those of the original's leaderboard (reference 5.4). What differs: places are those
of the consensus and not of each ranking, prompts count tenths and are not rounded, a ranking that
agrees with the others really gets its point, and everything waits until it is decided.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from statistics import fmean

from leaderboard_app.enums import EntryState, Reason, Why
from tasks_app.enums import STOPPED_STATES, ContributionKind, FormMode, Role, TreeState
from tasks_app.reviews import takes_in

POINTS = {
    Reason.PROMPT: Decimal("0.1"),
    Reason.PROMPT_ACCEPTED: Decimal("0.1"),
    Reason.ASSISTANT_REPLY: Decimal(4),
    Reason.ASSISTANT_REPLY_ACCEPTED: Decimal(4),
    Reason.PROMPTER_REPLY: Decimal(1),
    Reason.PROMPTER_REPLY_ACCEPTED: Decimal(1),
    Reason.REVIEW_FULL: Decimal(2),
    Reason.REVIEW_SIMPLE: Decimal(1),
    Reason.RANKING: Decimal(1),
    Reason.RANKING_AGREED: Decimal(1),
    Reason.FIRST: Decimal(9),
    Reason.SECOND: Decimal(3),
    Reason.THIRD: Decimal(1),
}
PLACES = (Reason.FIRST, Reason.SECOND, Reason.THIRD)
WRITTEN = {
    Reason.PROMPT: Reason.PROMPT_ACCEPTED,
    Reason.ASSISTANT_REPLY: Reason.ASSISTANT_REPLY_ACCEPTED,
    Reason.PROMPTER_REPLY: Reason.PROMPTER_REPLY_ACCEPTED,
}
REVIEWS = (Reason.REVIEW_FULL, Reason.REVIEW_SIMPLE)
VOTES = (*REVIEWS, Reason.RANKING)

# Nobody reads and answers in less, in seconds from being handed the task to sending it.
SECONDS_TO_WRITE = 5
SECONDS_TO_REVIEW = 2
SECONDS_TO_RANK = 4

# A review at random comes to about 0.5, an honest one to 0.9.
REVIEW_IS_CLOSE = 0.7
# A ranking at random comes to 0.5; below it somebody orders against the others.
RANKING_IS_CLOSE = 0.5
RANKING_AGREES = 0.8
# One person who objects may have slipped, or not have read.
OBJECTIONS = 2


@dataclass(frozen=True)
class Standing:
    """Where an entry should stand."""

    state: EntryState
    why: Why


@dataclass(frozen=True)
class MessageFacts:
    """What became of a message."""

    is_root: bool
    role: Role
    deleted: bool
    review_result: bool | None
    rank: int | None
    tree_state: TreeState

    @property
    def is_over(self) -> bool:
        """Nobody will decide on it (any more)."""
        return self.review_result is not None or self.deleted or self.tree_state in STOPPED_STATES


def _pending(why: Why) -> Standing:
    return Standing(EntryState.PENDING, why)


def _confirmed(why: Why) -> Standing:
    return Standing(EntryState.CONFIRMED, why)


def _reversed(why: Why) -> Standing:
    return Standing(EntryState.REVERSED, why)


def reason_of(kind: str, role: str, form: str) -> Reason | None:
    """The first reason of a contribution; None if such ones give no points."""
    if kind == ContributionKind.PROMPT:
        return Reason.PROMPT
    if kind == ContributionKind.REPLY:
        return Reason.ASSISTANT_REPLY if role == Role.ASSISTANT else Reason.PROMPTER_REPLY
    if kind == ContributionKind.LABELS:
        return Reason.REVIEW_SIMPLE if form == FormMode.SIMPLE else Reason.REVIEW_FULL
    return Reason.RANKING if kind == ContributionKind.RANKING else None


def is_too_quick(reason: Reason, seconds: float) -> bool:
    """Sent so soon after it was handed out that nobody can have read it."""
    if reason in WRITTEN:
        return seconds < SECONDS_TO_WRITE
    return seconds < (SECONDS_TO_RANK if reason == Reason.RANKING else SECONDS_TO_REVIEW)


def of_text(
    reason: Reason, message: MessageFacts, *, held: bool, waits: bool
) -> dict[Reason, Standing]:
    """The entries of somebody who wrote `message`: the first half, the second half, its place.

    `held` and `waits`, here and below, is what `reliance` says of the contribution.
    """
    half = _of_text(message)
    if held and half.state == EntryState.CONFIRMED:
        half = _reversed(Why.HELD)
    standings = {reason: half}
    if half.state == EntryState.CONFIRMED:
        standings[WRITTEN[reason]] = half
        if message.rank is not None and message.rank < len(PLACES):
            standings[PLACES[message.rank]] = _confirmed(Why.PLACED)
        if waits:
            return dict.fromkeys(standings, _pending(Why.WAITS_FOR_MORE))
    return standings


def _of_text(message: MessageFacts) -> Standing:
    if message.deleted:
        return _reversed(Why.REMOVED)
    if message.is_root and message.tree_state in STOPPED_STATES:
        rejected = message.review_result is False
        return _reversed(Why.REJECTED if rejected else Why.HALTED)
    if message.review_result is False:
        return _reversed(Why.REJECTED)
    if message.review_result:
        return _confirmed(Why.ACCEPTED)
    stopped = message.tree_state in STOPPED_STATES
    return _pending(Why.STOPPED if stopped else Why.WAITS_FOR_REVIEWS)


def gone(reason: Reason, half: Standing) -> Standing:
    """For an entry that rests on what is no longer so: an acceptance, a place."""
    if half.state == EntryState.REVERSED:
        return half
    return _reversed(Why.MOVED if reason in PLACES else Why.UNDECIDED)


def of_lone_ranking(why: Why, *, held: bool, waits: bool) -> Standing:
    """An order of prompts, or of replies that nobody else ranked: there is nothing to compare it
    with, so it counts, for `why`, if others do."""
    if held:
        return _reversed(Why.HELD)
    return _pending(Why.WAITS_FOR_MORE) if waits else _confirmed(why)


def of_review(closeness: float | None, *, held: bool, waits: bool) -> Standing:
    """A review of which `closeness` is known once the message is decided."""
    if closeness is None:
        return _pending(Why.WAITS_FOR_REVIEWS)
    if closeness < REVIEW_IS_CLOSE:
        return _reversed(Why.FAR_OFF)
    if held:
        return _reversed(Why.HELD)
    return _pending(Why.WAITS_FOR_MORE) if waits else _confirmed(Why.DECIDED)


def of_ranking(closeness: float | None, *, held: bool, waits: bool) -> dict[Reason, Standing]:
    """A ranking of which `closeness` is known once there are ranks."""
    if closeness is None:
        return {Reason.RANKING: _pending(Why.WAITS_FOR_RANKS)}
    if closeness < RANKING_IS_CLOSE:
        return {Reason.RANKING: _reversed(Why.FAR_OFF)}
    if held:
        return {Reason.RANKING: _reversed(Why.HELD)}
    standings = {Reason.RANKING: _confirmed(Why.RANKED)}
    if closeness >= RANKING_AGREES:
        standings[Reason.RANKING_AGREED] = _confirmed(Why.AGREED)
    return dict.fromkeys(standings, _pending(Why.WAITS_FOR_MORE)) if waits else standings


def is_plainly_rejected(reviews: Collection[Mapping[str, float]]) -> bool:
    """Whether most reviews object, and several: then it tells something whether somebody else does,
    and who wrote it."""
    objecting = sum(not takes_in(review) for review in reviews)
    return objecting >= OBJECTIONS and 2 * objecting > len(reviews)


def review_closeness(
    mine: Mapping[str, float], others: Collection[Mapping[str, float]]
) -> float | None:
    """1 − the mean difference between one's answers and those of the nearer half of the others.

    From 0 to 1, over the labels that both have answered; None if there are none. The nearer half,
    so that one odd reviewer does not cost the others their points.
    """
    alike = [_alike(mine, other) for other in others]
    found = sorted((each for each in alike if each is not None), reverse=True)
    return fmean(found[: (len(found) + 1) // 2]) if found else None


def _alike(mine: Mapping[str, float], other: Mapping[str, float]) -> float | None:
    both = mine.keys() & other.keys()
    return 1 - fmean(abs(mine[name] - other[name]) for name in both) if both else None


Groups = Sequence[Sequence[str]]


def ranking_closeness(mine: Groups, others: Collection[Groups]) -> float | None:
    """The share of pairs that one orders as most of the others do; ties count half. 0 to 1.

    Empty groups say that the replies cannot be ranked. None if there is nothing to compare with.
    """
    if not others:
        return None
    if not mine:
        return sum(not other for other in others) / len(others)
    ranking = [_places(other) for other in others if other]
    if len(ranking) * 2 < len(others):
        return 0.0  # most say that there is no order
    own = _places(mine)
    scores = []
    for a, b in combinations(sorted(own), 2):
        lead = sum(_sign(o[b] - o[a]) for o in ranking if a in o and b in o)
        scores.append((1 + _sign(lead) * _sign(own[b] - own[a])) / 2)
    return fmean(scores) if scores else None


def _places(groups: Groups) -> dict[str, int]:
    return {pk: place for place, group in enumerate(groups) for pk in group}


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


@dataclass(frozen=True)
class Line:
    """One line of the formula as people read it."""

    label: str
    points: Decimal


def formula() -> list[Line]:
    """What gives how much, in the words and with the amounts of the ledger."""
    return [Line(str(reason.label), points) for reason, points in POINTS.items()]


def closeness_asked() -> dict[str, int]:
    """How close votes must be to count, in per cent."""
    asked = {"review": REVIEW_IS_CLOSE, "ranking": RANKING_IS_CLOSE, "agrees": RANKING_AGREES}
    return {name: round(100 * share) for name, share in asked.items()}
