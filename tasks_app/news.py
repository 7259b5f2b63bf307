"""What is news to whom: sources of events, and the facts that follow from them. Reads only.

A fact says how things stand when it is read, so an event that was overtaken tells nothing wrong.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, QuerySet

from tasks_app import following
from tasks_app.enums import STOPPED_STATES, ContributionKind, ModerationKind, TreeState
from tasks_app.enums import NotificationKind as Kind
from tasks_app.models import (
    Contribution,
    Message,
    ModerationAction,
    Question,
    Report,
    TreeTransition,
)
from tasks_app.notice_records import NotifiedFact
from tasks_app.usage_records import DataSnapshot, TrainedModel

_REMOVALS = frozenset({ModerationKind.DELETE_MESSAGE, ModerationKind.AUTO_DELETE})
_CHANGES = {
    ModerationKind.RESTORE_MESSAGE: "restored",
    ModerationKind.EDIT_MESSAGE: "edited",
}


@dataclass(frozen=True)
class Fact:
    """Something that one person is to be told once; `key` names it."""

    user_id: uuid.UUID
    kind: Kind
    key: str
    message_id: uuid.UUID | None = None
    report_id: uuid.UUID | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A table whose rows, in the order of their ids, are events."""

    name: str
    events: Callable[[], QuerySet]
    time: str  # the column that tells when
    facts: Callable[[Sequence[Any]], Iterable[Fact]]

    def rows(self, after: int) -> QuerySet:
        """Events beyond an id, in order."""
        return self.events().filter(pk__gt=after).order_by("pk")

    def when(self, row: Any) -> datetime:
        """When an event happened."""
        moment: datetime = getattr(row, self.time)
        return moment


# Verdicts


def _of_reviews(rows: Sequence[Contribution]) -> Iterable[Fact]:
    return _verdicts({row.message_id for row in rows if row.message_id})


def _verdicts(ids: Iterable[uuid.UUID]) -> Iterable[Fact]:
    ids = list(ids)
    decided = Message.objects.filter(pk__in=ids, deleted=False, user__isnull=False)
    rows = decided.exclude(review_result=None).order_by("created_at", "pk")
    for pk, user, accepted in rows.values_list("pk", "user", "review_result"):
        kind = Kind.ACCEPTED if accepted else Kind.NOT_ACCEPTED
        yield Fact(user, kind, f"{kind}:{pk}", pk)
    for user, reply in following.told_of_replies(ids):
        yield Fact(user, Kind.FOLLOWED_REPLY, f"followed_reply:{reply.pk}", reply.pk)


# Trees that moved on


def _of_moves(rows: Sequence[TreeTransition]) -> Iterable[Fact]:
    finished = [row.tree_id for row in rows if row.to_state == TreeState.READY_FOR_EXPORT]
    yield from _places(finished)
    for user, prompt in following.told_of_ends(finished):
        yield Fact(user, Kind.FOLLOWED_END, f"followed_end:{prompt.pk}", prompt.pk)
    roots = Message.objects.filter(pk__in=[row.tree_id for row in rows], user__isnull=False)
    by_tree = {root.tree_id: root for root in roots}
    for row in rows:
        root = by_tree.get(row.tree_id)
        if root is not None:
            yield from _of_move(row, root)


def _of_move(row: TreeTransition, root: Message) -> Iterable[Fact]:
    if row.from_state == TreeState.PROMPT_LOTTERY_WAITING and row.to_state == TreeState.GROWING:
        yield _about(root, Kind.DRAWN, f"drawn:{root.pk}")
    is_told = not root.deleted and root.review_result is not False and row.actor_id != root.user_id
    if row.to_state in STOPPED_STATES and is_told:
        reason = {"reason": row.reason} if row.actor_id else {}
        yield _about(root, Kind.STOPPED, f"stopped:{row.pk}", **reason)


def _places(trees: Sequence[uuid.UUID]) -> Iterable[Fact]:
    ranked = Message.objects.filter(tree__in=trees, rank__isnull=False, deleted=False)
    among = dict(ranked.order_by().values_list("parent").annotate(n=Count("pk")))
    for message in ranked.exclude(user=None).order_by("created_at", "pk"):
        place = {"place": (message.rank or 0) + 1, "of": among[message.parent_id]}
        yield _about(message, Kind.RANKED, f"ranked:{message.pk}", **place)


def _about(message: Message, kind: Kind, key: str, **data: Any) -> Fact:
    assert message.user_id is not None  # the queries leave out who has no account
    return Fact(message.user_id, kind, key, message.pk, data=data)


# What moderators did


def _of_acts(rows: Sequence[ModerationAction]) -> Iterable[Fact]:
    for row in rows:
        if row.action in _REMOVALS:
            yield from _removals(row)
        elif row.action in _CHANGES:
            yield from _change(row)
        elif row.action == ModerationKind.RESOLVE_REPORT:
            yield from _outcomes(row)
        elif row.action == ModerationKind.WITHDRAW_QUESTION:
            yield from _withdrawal(row)
    split = [row for row in rows if row.action == ModerationKind.DECIDE_SPLIT]
    yield from _verdicts({row.message_id for row in split if row.message_id})


def _removals(row: ModerationAction) -> Iterable[Fact]:
    """The author's of the message, with the reason; and of those below, which went with it."""
    if row.message_id is None:
        return
    gone = Message.objects.with_all_below([row.message_id])
    for message in _others(Message.objects.filter(pk__in=gone, deleted=True), row):
        is_it = message.pk == row.message_id
        reason = row.reason if is_it and row.action != ModerationKind.AUTO_DELETE else ""
        data = {"act": "removed" if is_it else "removed_with", "reason": reason}
        yield _about(message, Kind.REMOVED, f"removed:{row.pk}:{message.pk}", **data)


def _change(row: ModerationAction) -> Iterable[Fact]:
    for message in _others(Message.objects.filter(pk=row.message_id, deleted=False), row):
        data = {"act": _CHANGES[ModerationKind(row.action)], "reason": row.reason}
        yield _about(message, Kind.REMOVED, f"changed:{row.pk}", **data)


def _others(messages: QuerySet[Message], row: ModerationAction) -> QuerySet[Message]:
    """Without those of whoever acted."""
    found = messages.exclude(user=None).order_by("created_at", "pk")
    return found.exclude(user=row.actor_id) if row.actor_id else found


def _outcomes(row: ModerationAction) -> Iterable[Fact]:
    found = Report.objects.filter(message=row.message_id, resolved_at=row.created_at)
    for report in found.exclude(user=None).exclude(user=row.actor_id):
        key = f"report:{report.pk}:{report.state}"
        if report.user_id:
            yield Fact(report.user_id, Kind.REPORT, key, report.message_id, report.pk)


def _withdrawal(row: ModerationAction) -> Iterable[Fact]:
    """Of a question that its person was told of."""
    pk = row.data["question"]
    if row.user_id and NotifiedFact.objects.filter(user=row.user_id, key=f"question:{pk}").exists():
        data = {"question": pk, "act": "withdrawn"}
        yield Fact(row.user_id, Kind.QUESTION, f"question_withdrawn:{pk}", data=data)


def _of_questions(rows: Sequence[Question]) -> Iterable[Fact]:
    for row in rows:
        if row.is_open:
            key, data = f"question:{row.pk}", {"question": row.pk}
            yield Fact(row.person_id, Kind.QUESTION, key, row.message_id, data=data)


# Snapshots and models


def _of_snapshots(rows: Sequence[DataSnapshot]) -> Iterable[Fact]:
    for row in rows:
        for user, count in _holders([row.pk]):
            data = {"name": row.name, "messages": count}
            yield Fact(user, Kind.SNAPSHOT, f"snapshot:{row.pk}", data=data)


def _of_models(rows: Sequence[TrainedModel]) -> Iterable[Fact]:
    for row in rows:
        for user, count in _holders(list(row.snapshots.values_list("pk", flat=True))):
            data = {"name": row.name, "messages": count}
            yield Fact(user, Kind.MODEL, f"model:{row.pk}", data=data)


def _holders(snapshots: Sequence[int]) -> list[tuple[uuid.UUID, int]]:
    """Whose messages are in one of the snapshots, and how many."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDERS, [list(snapshots)])
        return list(cursor.fetchall())


_HOLDERS = """
    SELECT m.user_id, count(DISTINCT m.id) FROM tasks_app_snapshottree t
    JOIN tasks_app_message m ON m.tree_id = t.tree_id AND m.id = ANY (t.message_ids)
    WHERE t.snapshot_id = ANY (%s) AND m.user_id IS NOT NULL AND NOT m.synthetic
    GROUP BY m.user_id ORDER BY m.user_id
"""

SOURCES = (
    Source(
        "reviews",
        lambda: Contribution.objects.filter(kind=ContributionKind.LABELS),
        "created_at",
        _of_reviews,
    ),
    Source("moves", TreeTransition.objects.all, "created_at", _of_moves),
    Source("acts", ModerationAction.objects.all, "created_at", _of_acts),
    Source("questions", Question.objects.all, "asked_at", _of_questions),
    Source("snapshots", DataSnapshot.objects.all, "made_at", _of_snapshots),
    Source("models", TrainedModel.objects.all, "trained_at", _of_models),
)
