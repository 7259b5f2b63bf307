"""What the entries of some trees should be, and what therefore changes in the ledger.

Reads the trees, applies `rules`, compares with the stored entries; writes nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from django.db.models import Q

from leaderboard_app import rules
from leaderboard_app.enums import EntryState, Reason, Why
from leaderboard_app.models import PointEntry
from leaderboard_app.rules import MessageFacts, Standing
from tasks_app.enums import STOPPED_STATES, ContributionKind, LabelKind, Role, TreeState
from tasks_app.models import (
    Contribution,
    GoldAnswer,
    Ranking,
    RankingConsensus,
    TextLabels,
)
from tasks_app.reviews import takes_in

Answer = TypeVar("Answer")

_COUNTED = (
    ContributionKind.PROMPT,
    ContributionKind.REPLY,
    ContributionKind.LABELS,
    ContributionKind.RANKING,
)
_COLUMNS = (
    *("id", "user_id", "kind", "lang", "created_at", "data", "task_id", "message_id"),
    *("task__created_at", "task__done_at", "user__is_active"),
    *("message__parent_id", "message__role", "message__deleted", "message__review_result"),
    *("message__rank", "message__tree__state"),
)
# Decided by people's votes, so at the time of the last of them and not when the ledger looks.
_BY_VOTES = frozenset(
    {Why.ACCEPTED, Why.DECIDED, Why.REJECTED, Why.RANKED, Why.AGREED, Why.PLACED, Why.FAR_OFF,
     Why.HELD}
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One contribution that may give points."""

    id: int
    user_id: UUID
    reason: Reason
    lang: str
    at: datetime
    task_id: UUID | None
    message_id: UUID | None
    parent_id: UUID | None
    message: MessageFacts | None
    is_quick: bool
    is_banned: bool


@dataclass(frozen=True)
class Vote:
    """How one's answer, or text, compares with what the others say, as in PointEntry.

    `is_alone`: a ranking that is decided and has nothing to be compared with.
    """

    closeness: float | None = None
    knows: bool | None = None
    is_alone: bool = False


@dataclass
class Votes:
    """What people answered, by message: (task, person, no measure for others, answer), and the
    right answers of gold."""

    labels: dict[UUID, list[tuple[UUID | None, UUID, bool, dict[str, float]]]]
    gold: dict[UUID, tuple[dict[str, float], dict[str, float]]]
    rankings: dict[UUID, list[tuple[UUID | None, UUID, bool, list[list[str]]]]]
    ranked: set[UUID] = field(default_factory=set)


def changes(
    trees: Collection[UUID], loose: Collection[int], *, now: datetime | None
) -> tuple[list[PointEntry], list[PointEntry]]:
    """Entries to add and entries to move, for `trees` and contributions without a message.

    `now` is when what changes is settled; None for a look that is not stored.
    """
    rows = _rows(trees, loose)
    stored = _stored(rows)
    votes = _votes(rows, stored)
    last_vote = _last_votes(rows)
    created: list[PointEntry] = []
    moved: list[PointEntry] = []
    for row in rows:
        entries = stored[row.id]
        vote = _vote(row, entries.get(row.reason), votes)
        wanted = _wanted(row, entries, vote)
        is_ranking = row.reason == Reason.RANKING
        latest = max(filter(None, (last_vote.get((row.message_id, is_ranking)), row.at)))
        for reason, standing in wanted.items():
            placed = last_vote.get((row.parent_id, True)) if reason in rules.PLACES else None
            entry = entries.get(reason)
            if entry is None:
                entry = _new(row, reason, placed or row.at)
                created.append(entry)
            elif (entry.state, entry.why, entry.closeness) == (*_told(standing), vote.closeness):
                continue
            else:
                moved.append(entry)
            _stand(entry, standing, vote, when=placed or latest, now=now or latest)
    return created, moved


def _rows(trees: Collection[UUID], loose: Collection[int]) -> list[Row]:
    """In the order of the journal; deleted accounts have no points."""
    wanted = Q(message__tree__in=trees) | Q(pk__in=loose)
    found = Contribution.objects.filter(wanted, kind__in=_COUNTED, user__deleted_at=None)
    rows = []
    for values in found.order_by("pk").values(*_COLUMNS):
        details = values["data"]
        role = details.get("role", "")
        reason = rules.reason_of(values["kind"], role, details.get("form", ""))
        if reason:
            rows.append(_row(values, reason))
    return rows


def _row(values: dict[str, Any], reason: Reason) -> Row:
    begun, done = values["task__created_at"], values["task__done_at"]
    seconds = (done - begun).total_seconds() if begun and done else float("inf")
    return Row(
        id=values["id"],
        user_id=values["user_id"],
        reason=reason,
        lang=values["lang"],
        at=values["created_at"],
        task_id=values["task_id"],
        message_id=values["message_id"],
        parent_id=values["message__parent_id"],
        message=_facts(values) if values["message_id"] else None,
        is_quick=rules.is_too_quick(reason, seconds),
        is_banned=not values["user__is_active"],
    )


def _facts(values: dict[str, Any]) -> MessageFacts:
    return MessageFacts(
        is_root=values["message__parent_id"] is None,
        role=Role(values["message__role"]),
        deleted=values["message__deleted"],
        review_result=values["message__review_result"],
        rank=values["message__rank"],
        tree_state=TreeState(values["message__tree__state"]),
    )


def _stored(rows: list[Row]) -> dict[int, dict[Reason, PointEntry]]:
    stored: dict[int, dict[Reason, PointEntry]] = defaultdict(dict)
    for entry in PointEntry.objects.filter(contribution__in=[row.id for row in rows]):
        stored[entry.contribution_id][Reason(entry.reason)] = entry
    return stored


# Votes


def _votes(rows: list[Row], stored: dict[int, dict[Reason, PointEntry]]) -> Votes:
    """The answers to compare, for votes and rejected texts that nobody has compared yet.

    No measure for others are people who are held back, and what was sent faster than one can read.
    """
    quick = {row.task_id for row in rows if row.is_quick}
    open_votes = [row for row in rows if _needs_comparing(row, stored[row.id].get(row.reason))]
    reviewed = {row.message_id for row in open_votes if row.reason in rules.REVIEWS}
    reviewed |= {row.message_id for row in rows if _is_rejected(row, stored[row.id])}
    ranked = {row.message_id for row in open_votes if row.reason == Reason.RANKING}
    votes = Votes(defaultdict(list), {}, defaultdict(list))
    if reviewed:
        sets = TextLabels.objects.filter(message__in=reviewed, kind=LabelKind.TASK)
        columns = ("message", "task", "user", "held", "values")
        for message, task, user, held, values in sets.values_list(*columns):
            votes.labels[message].append((task, user, held or task in quick, values))
        tasks = [row.task_id for row in open_votes if row.task_id]
        gold = GoldAnswer.objects.filter(task__in=tasks)
        for task, mine, right in gold.values_list("task", "values", "item__answers"):
            votes.gold[task] = (mine, right)
    if ranked:
        found = Ranking.objects.filter(parent__in=ranked)
        for ranking in found:
            groups = [] if ranking.not_rankable else ranking.groups
            if ranking.parent_id:
                task, user = ranking.task_id, ranking.user_id
                is_no_measure = ranking.held or task in quick
                votes.rankings[ranking.parent_id].append((task, user, is_no_measure, groups))
        counted = RankingConsensus.objects.filter(parent__in=ranked)
        votes.ranked = {pk for pk in counted.values_list("parent", flat=True) if pk}
    return votes


def _needs_comparing(row: Row, entry: PointEntry | None) -> bool:
    return (
        row.message is not None
        and row.reason in rules.VOTES
        and not row.is_quick
        and (entry is None or entry.closeness is None)
    )


def _is_rejected(row: Row, entries: dict[Reason, PointEntry]) -> bool:
    """Whether it is a text that was rejected since it was last looked at."""
    is_text = row.reason in rules.WRITTEN and _is_open(row, entries.get(row.reason))
    return is_text and row.message is not None and row.message.review_result is False


def _is_open(row: Row, entry: PointEntry | None) -> bool:
    """Whether it may be settled now for the first time."""
    if row.reason in rules.WRITTEN:
        return row.message is not None and (entry is None or entry.settled_at is None)
    return _needs_comparing(row, entry)


def _compared(row: Row, votes: Votes) -> Vote:
    """A vote beside the others', once its message is decided; as near as can be without others."""
    assert row.message is not None
    if row.reason == Reason.RANKING:
        return _compared_ranking(row, row.message, votes)
    if row.task_id in votes.gold:
        mine, right = votes.gold[row.task_id]
        return _compared_review(mine, [right], is_rejected=not takes_in(right))
    if not row.message.is_over:
        return Vote()
    sets = votes.labels[cast(UUID, row.message_id)]
    mine = next((values for task, *_, values in sets if task == row.task_id), {})
    others = _of_others(sets, row)
    is_rejected = row.message.review_result is False and rules.is_plainly_rejected(others)
    return _compared_review(mine, others, is_rejected=is_rejected)


def _compared_ranking(row: Row, message: MessageFacts, votes: Votes) -> Vote:
    if not (row.message_id in votes.ranked or message.deleted or _is_stopped(message)):
        return Vote()
    cast_votes = votes.rankings[cast(UUID, row.message_id)]
    mine = next((groups for task, *_, groups in cast_votes if task == row.task_id), None)
    others = _of_others(cast_votes, row)
    found = None if mine is None else rules.ranking_closeness(mine, others)
    return Vote(found, is_alone=found is None)


def _compared_review(
    mine: dict[str, float], others: list[dict[str, float]], *, is_rejected: bool
) -> Vote:
    found = rules.review_closeness(mine, others)
    knows = not takes_in(mine) if is_rejected and mine else None
    return Vote(1.0 if found is None else found, knows)


def _judged(row: Row, votes: Votes) -> Vote:
    """A text beside what its reviewers say."""
    assert row.message is not None
    if row.message.review_result is not False:
        return Vote(knows=row.message.review_result)
    reviews = _of_others(votes.labels[cast(UUID, row.message_id)], row)
    return Vote(knows=False if rules.is_plainly_rejected(reviews) else None)


def _of_others(cast: Iterable[tuple[UUID | None, UUID, bool, Answer]], row: Row) -> list[Answer]:
    """What others answered, if it is a measure."""
    return [answer for _, user, is_none, answer in cast if user != row.user_id and not is_none]


def _is_stopped(message: MessageFacts) -> bool:
    return message.tree_state in STOPPED_STATES


def _vote(row: Row, entry: PointEntry | None, votes: Votes) -> Vote:
    """What a row is settled by; what was once settled stays."""
    if not _is_open(row, entry):
        return Vote(entry.closeness, entry.knows) if entry else Vote()
    return _judged(row, votes) if row.reason in rules.WRITTEN else _compared(row, votes)


# Standings


def _wanted(row: Row, entries: dict[Reason, PointEntry], vote: Vote) -> dict[Reason, Standing]:
    """Where every entry of a contribution should stand, those too that it should have no more."""
    first = entries.get(row.reason)
    held, waits = (first.held, first.waits) if first else (False, False)
    wanted = _earned(row, vote, held=held, waits=waits)
    half = wanted[row.reason]
    for reason in entries:
        if reason not in wanted:
            wanted[reason] = rules.gone(reason, half)
    if row.is_banned:
        return {reason: Standing(EntryState.REVERSED, Why.BANNED) for reason in wanted}
    return wanted


def _earned(row: Row, vote: Vote, *, held: bool, waits: bool) -> dict[Reason, Standing]:
    if row.is_quick:
        return {row.reason: Standing(EntryState.REVERSED, Why.TOO_QUICK)}
    if row.message is None:
        return {row.reason: rules.of_lone_ranking(Why.COUNTED, held=held, waits=waits)}
    if row.reason in rules.WRITTEN:
        return rules.of_text(row.reason, row.message, held=held, waits=waits)
    if vote.is_alone:
        return {row.reason: rules.of_lone_ranking(Why.RANKED, held=held, waits=waits)}
    if row.reason == Reason.RANKING:
        return rules.of_ranking(vote.closeness, held=held, waits=waits)
    return {row.reason: rules.of_review(vote.closeness, held=held, waits=waits)}


def _told(standing: Standing) -> tuple[str, str]:
    return standing.state, standing.why


def _new(row: Row, reason: Reason, at: datetime) -> PointEntry:
    return PointEntry(
        user_id=row.user_id,
        contribution_id=row.id,
        reason=reason,
        points=rules.POINTS[reason],
        lang=row.lang,
        at=at,
    )


def _stand(
    entry: PointEntry,
    standing: Standing,
    vote: Vote,
    *,
    when: datetime,
    now: datetime,
) -> None:
    if entry.state != standing.state:
        is_open = standing.state == EntryState.PENDING
        by_votes = entry.settled_at is None and standing.why in _BY_VOTES
        entry.settled_at = None if is_open else when if by_votes else now
    entry.state, entry.why = standing.state, standing.why
    entry.closeness, entry.knows = vote.closeness, vote.knows


def _last_votes(rows: Iterable[Row]) -> dict[tuple[UUID | None, bool], datetime]:
    """When people last reviewed a message (False), or ranked what is below it (True)."""
    latest: dict[tuple[UUID | None, bool], datetime] = {}
    for row in rows:
        if row.reason in rules.VOTES:
            key = (row.message_id, row.reason == Reason.RANKING)
            latest[key] = max(row.at, latest.get(key, row.at))
    return latest
