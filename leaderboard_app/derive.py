"""What the entries of some trees should be, and what therefore changes in the ledger.

Reads the trees, applies `rules`, compares with the stored entries; writes nothing.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber

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
    Reliability,
    TextLabels,
)

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


@dataclass
class Votes:
    """What people answered, by message: (task, person, held back, answer), and the right answers
    of gold."""

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
    records = _records(rows, stored)
    last_vote = _last_votes(rows)
    created: list[PointEntry] = []
    moved: list[PointEntry] = []
    for row in rows:
        entries = stored[row.id]
        vote = _vote(row, entries.get(row.reason), votes, records)
        wanted = _wanted(row, entries, vote)
        is_ranking = row.reason == Reason.RANKING
        latest = max(filter(None, (last_vote.get((row.message_id, is_ranking)), row.at)))
        for reason, standing in wanted.items():
            placed = last_vote.get((row.parent_id, True)) if reason in rules.PLACES else None
            entry = entries.get(reason)
            if entry is None:
                entry = _new(row, reason, placed or row.at)
                created.append(entry)
            elif (entry.state, entry.why, entry.closeness) == (*_told(standing), vote[0]):
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
    """The answers to compare, for votes that nobody has compared yet."""
    open_votes = [row for row in rows if _needs_comparing(row, stored[row.id].get(row.reason))]
    reviewed = {row.message_id for row in open_votes if row.reason in rules.REVIEWS}
    ranked = {row.message_id for row in open_votes if row.reason == Reason.RANKING}
    votes = Votes(defaultdict(list), {}, defaultdict(list))
    if reviewed:
        sets = TextLabels.objects.filter(message__in=reviewed, kind=LabelKind.TASK)
        for message, *vote in sets.values_list("message", "task", "user", "held", "values"):
            votes.labels[message].append(tuple(vote))
        tasks = [row.task_id for row in open_votes if row.task_id]
        gold = GoldAnswer.objects.filter(task__in=tasks)
        for task, mine, right in gold.values_list("task", "values", "item__answers"):
            votes.gold[task] = (mine, right)
    if ranked:
        found = Ranking.objects.filter(parent__in=ranked)
        for ranking in found:
            groups = [] if ranking.not_rankable else ranking.groups
            if ranking.parent_id:
                votes.rankings[ranking.parent_id].append(
                    (ranking.task_id, ranking.user_id, ranking.held, groups)
                )
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


def _is_open(row: Row, entry: PointEntry | None) -> bool:
    """Whether it may be settled now for the first time."""
    if row.reason in rules.WRITTEN:
        return row.message is not None and (entry is None or entry.settled_at is None)
    return _needs_comparing(row, entry)


def _closeness(row: Row, votes: Votes) -> float | None:
    """How near a vote is to the others', once its message is decided; 1 if there are no others."""
    assert row.message is not None
    assert row.message_id is not None
    if row.reason == Reason.RANKING:
        if not (row.message_id in votes.ranked or row.message.deleted or _is_stopped(row.message)):
            return None
        cast = votes.rankings[row.message_id]
        mine = next((groups for task, *_, groups in cast if task == row.task_id), None)
        others = _of_others(cast, row)
        found = None if mine is None else rules.ranking_closeness(mine, others)
        return 1.0 if found is None else found
    if row.task_id in votes.gold:
        mine_and_right = votes.gold[row.task_id]
        found = rules.review_closeness(mine_and_right[0], [mine_and_right[1]])
        return 1.0 if found is None else found
    if not row.message.is_over:
        return None
    sets = votes.labels[row.message_id]
    mine_values = next((values for task, *_, values in sets if task == row.task_id), {})
    found = rules.review_closeness(mine_values, _of_others(sets, row))
    return 1.0 if found is None else found


def _of_others(cast: Iterable[tuple[UUID | None, UUID, bool, Answer]], row: Row) -> list[Answer]:
    """What others answered; people who are held back are nobody to be compared with."""
    return [answer for _, user, held, answer in cast if user != row.user_id and not held]


def _is_stopped(message: MessageFacts) -> bool:
    return message.tree_state in STOPPED_STATES


@dataclass
class Records:
    """How people voted so far: the closeness of their last votes, the latest first; and who is
    doubted, in which language."""

    closeness: dict[UUID, deque[float]]
    doubted: set[tuple[UUID, str]] = field(default_factory=set)

    def is_poor(self, row: Row) -> bool:
        """Whether nobody can rely on what this person says."""
        is_doubted = (row.user_id, row.lang) in self.doubted
        return is_doubted or rules.has_poor_record(list(self.closeness[row.user_id]))


def _records(rows: list[Row], stored: dict[int, dict[Reason, PointEntry]]) -> Records:
    """The records of those about whom something is to be settled. Two queries, if any."""
    people = {row.user_id for row in rows if _is_open(row, stored[row.id].get(row.reason))}
    records = Records(defaultdict(lambda: deque(maxlen=rules.RECORD_LENGTH)))
    if not people:
        return records
    doubted = Reliability.objects.doubtful().filter(user__in=people).order_by()
    records.doubted = set(doubted.values_list("user", "lang"))
    newest = Window(RowNumber(), partition_by="user", order_by=[F("settled_at").desc(), "-id"])
    last = PointEntry.objects.filter(user__in=people, reason__in=rules.VOTES)
    last = last.exclude(closeness=None).exclude(settled_at=None).annotate(number=newest)
    for user, closeness in last.filter(number__lte=rules.RECORD_LENGTH).values_list(
        "user", "closeness"
    ):
        if closeness is not None:
            records.closeness[user].append(closeness)
    return records


def _vote(
    row: Row, entry: PointEntry | None, votes: Votes, records: Records
) -> tuple[float | None, bool]:
    """(closeness of a vote, held back); what was once settled stays."""
    if not _is_open(row, entry):
        return (entry.closeness, entry.held) if entry else (None, False)
    held = records.is_poor(row)
    if row.reason in rules.WRITTEN:
        return None, held
    closeness = _closeness(row, votes)
    if closeness is None:
        return None, False
    records.closeness[row.user_id].appendleft(closeness)
    return closeness, held


# Standings


def _wanted(
    row: Row, entries: dict[Reason, PointEntry], vote: tuple[float | None, bool]
) -> dict[Reason, Standing]:
    """Where every entry of a contribution should stand, those too that it should have no more."""
    wanted = _earned(row, vote)
    half = wanted[row.reason]
    for reason in entries:
        if reason not in wanted:
            wanted[reason] = rules.gone(reason, half)
    if row.is_banned:
        return {reason: Standing(EntryState.REVERSED, Why.BANNED) for reason in wanted}
    return wanted


def _earned(row: Row, vote: tuple[float | None, bool]) -> dict[Reason, Standing]:
    closeness, held = vote
    if row.is_quick:
        return {row.reason: Standing(EntryState.REVERSED, Why.TOO_QUICK)}
    if row.message is None:
        return {row.reason: Standing(EntryState.CONFIRMED, Why.COUNTED)}
    if row.reason in rules.WRITTEN:
        return rules.of_text(row.reason, row.message, held=held)
    if row.reason == Reason.RANKING:
        return rules.of_ranking(closeness, held=held)
    return {row.reason: rules.of_review(closeness, held=held)}


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
    vote: tuple[float | None, bool],
    *,
    when: datetime,
    now: datetime,
) -> None:
    if entry.state != standing.state:
        is_open = standing.state == EntryState.PENDING
        by_votes = entry.settled_at is None and standing.why in _BY_VOTES
        entry.settled_at = None if is_open else when if by_votes else now
    entry.state, entry.why = standing.state, standing.why
    entry.closeness = vote[0]
    entry.held = vote[1] and standing.state != EntryState.PENDING


def _last_votes(rows: Iterable[Row]) -> dict[tuple[UUID | None, bool], datetime]:
    """When people last reviewed a message (False), or ranked what is below it (True)."""
    latest: dict[tuple[UUID | None, bool], datetime] = {}
    for row in rows:
        if row.reason in rules.VOTES:
            key = (row.message_id, row.reason == Reason.RANKING)
            latest[key] = max(row.at, latest.get(key, row.at))
    return latest
