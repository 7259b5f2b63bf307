"""Takes a step of a bulk action back: the tree is again as it was, together with what came since.

What people did meanwhile stays. Where nothing did, every row equals what it was before.
"""

import uuid
from datetime import datetime
from typing import Any

from django.db.models import F

from tasks_app import reactions, reliability, reviewing, trees
from tasks_app.bulk import images
from tasks_app.config import TreeConfig
from tasks_app.enums import LabelKind, ReportState, TreeState
from tasks_app.enums import ModerationKind as Kind
from tasks_app.models import (
    BulkStep,
    Message,
    MessageTree,
    Offer,
    Ranking,
    RankingConsensus,
    Reaction,
    Report,
    Task,
    TextLabels,
)
from tasks_app.moderation import hide, locked_tree
from tasks_app.moderation_log import record


def undo(step: BulkStep, *, now: datetime) -> None:
    """Take a step back. Caller holds the step's row lock."""
    before: images.Image = step.before or {}
    if "error" in before:
        return
    if step.tree_id is None:
        _rankings_back(step, before)
        reports = Report.objects.filter(pk__in=before["reports"], resolved_at=None)
        reports.filter(state=ReportState.DISMISSED).update(state=ReportState.OPEN)
        return
    tree = locked_tree(step.tree_id)
    _messages_back(tree, before)
    _labels_back(step, before)
    _votes_back(tree, step, before)
    _consensus_back(before)
    _state_back(tree, step, before, now)
    _slots_back(before, now)
    bulk = step.bulk
    trees.advance(tree, config=TreeConfig.current(), now=now, actor=bulk.undo_actor)
    record(
        Kind.UNDO,
        actor=bulk.undo_actor,
        reason=bulk.undo_reason,
        now=now,
        tree=tree,
        bulk_id=bulk.pk,
    )
    _times_back(tree, before)


def _messages_back(tree: MessageTree, before: images.Image) -> None:
    """Show what the step hid, unless what is above it is hidden by now, and hide what it showed."""
    was = _columns(before)
    rows = Message.objects.filter(tree=tree).order_by("depth", "created_at", "pk")
    hidden: set[uuid.UUID | None] = set()
    for message in rows:
        old = was.get(str(message.pk), {})
        if message.deleted and old.get("deleted") is False and message.parent_id not in hidden:
            Message.objects.filter(pk=message.pk).update(deleted=False, held=old["held"])
        elif message.deleted:
            hidden.add(message.pk)
        elif old.get("deleted"):
            hide(tree, message)
            hidden.add(message.pk)
        elif old.get("held") and not message.held and not message.review_count:
            Task.objects.filter(message=message, holds_slot=True).update(holds_slot=False)
            Message.objects.filter(pk=message.pk).update(held=True)


def _columns(before: images.Image) -> dict[str, dict[str, Any]]:
    """By message, what the step changed on it as it was."""
    rows = before["messages"].items()
    return {pk: dict(zip(images.COLUMNS, row, strict=True)) for pk, row in rows}


def _labels_back(step: BulkStep, before: images.Image) -> None:
    """The moderator's own labels as they were."""
    for entry in before.get("earlier", []):
        mine = TextLabels.objects.filter(
            message=entry["message"], user=step.bulk.actor, kind=LabelKind.FREE
        )
        if entry["row"] is None:
            mine.delete()
        else:
            old = images.row_of(TextLabels, entry["row"])
            mine.update(values=old.values, created_at=old.created_at)


def _votes_back(tree: MessageTree, step: BulkStep, before: images.Image) -> None:
    held = _is_held(step)
    kept = [
        row | {"held": held and row["kind"] == LabelKind.TASK}
        for row in before.get("label_sets", [])
    ]
    sets = images.put_back(TextLabels, kept, once_per=("message_id", "user_id", "kind"))
    given = images.put_back(
        Reaction, before.get("reactions", []), once_per=("message_id", "user_id", "code")
    )
    for reaction in given:
        reactions.count(Message.objects.get(pk=reaction.message_id), reaction.code, 1)
    ranked = _rankings_back(step, before)
    Task.objects.filter(pk__in=[row.task_id for row in sets if row.task_id]).update(purged=False)
    _verdicts_back(tree, before, {row.message_id for row in sets if row.kind == LabelKind.TASK})
    reliability.forget_votes(tree, [*sets, *ranked])


def _is_held(step: BulkStep) -> bool:
    """Whether the person's votes count for nothing now, whatever was when they were taken out."""
    return bool(step.bulk.person and step.bulk.person.is_held)


def _verdicts_back(tree: MessageTree, before: images.Image, ids: set[uuid.UUID]) -> None:
    """With the same reviews as before the same verdict, however it had come about."""
    config, was = TreeConfig.current(), _columns(before)
    for message in Message.objects.filter(pk__in=ids).select_related("imported_labels"):
        message.tree = tree
        reviewing.count_anew(message, config=config, known=was.get(str(message.pk)))


def _rankings_back(step: BulkStep, before: images.Image) -> list[Ranking]:
    held = _is_held(step)
    rows = [row | {"held": held} for row in before.get("rankings", [])]
    below = [row for row in rows if row["parent_id"]]
    stored = images.put_back(Ranking, below, once_per=("parent_id", "user_id"))
    stored += images.put_back(
        Ranking, [row for row in rows if not row["parent_id"]], once_per=("id",)
    )
    for ranking in stored:
        placed = [pk for group in ranking.groups for pk in group]
        Message.objects.filter(pk__in=placed).update(ranking_count=F("ranking_count") + 1)
    Task.objects.filter(pk__in=[row.task_id for row in stored if row.task_id]).update(purged=False)
    return stored


def _consensus_back(before: images.Image) -> None:
    """Where the same rankings stand below a message as before, the same order of its replies."""
    for parent, columns in before["consensus"].items():
        old = images.row_of(RankingConsensus, columns)
        counted = Ranking.objects.counted().filter(parent=parent)
        if counted.count() != old.rankings + old.not_rankable:
            continue
        replies = Message.objects.filter(parent=parent)
        replies.update(rank=None)
        for rank, pk in enumerate(old.order):
            replies.filter(pk=pk, deleted=False).update(rank=rank)
        old.save()


def _state_back(tree: MessageTree, step: BulkStep, before: images.Image, now: datetime) -> None:
    """To the state that the step moved it out of, unless it has moved on since."""
    was, moved_to = before["state"], before["state_after"]
    if was == moved_to or tree.state != moved_to:
        return
    if TreeState(was) in trees.TRANSITIONS[TreeState(moved_to)]:
        bulk = step.bulk
        reason = bulk.undo_reason[:480]
        trees.enter(tree, TreeState(was), now=now, reason=reason, actor=bulk.undo_actor)


def _slots_back(before: images.Image, now: datetime) -> None:
    """Places that people held and that have not run out since."""
    tasks = Task.objects.filter(
        pk__in=before["slots"], done_at=None, skipped_at=None, reserved_until__gt=now
    )
    for task in tasks.filter(message__deleted=False, user__is_active=True, holds_slot=False):
        same = Task.objects.filter(user=task.user_id, message=task.message_id, holds_slot=True)
        if not same.exists():
            Task.objects.filter(pk=task.pk).update(holds_slot=True)


def _times_back(tree: MessageTree, before: images.Image) -> None:
    """What is again as it was has been so since then."""
    if tree.state == before["state"]:
        since = datetime.fromisoformat(before["state_since"])
        MessageTree.objects.filter(pk=tree.pk).update(state_since=since)
    for pk, columns in before["offers"].items():
        same = {name: columns[name] for name in ("kind", "slots", "lonely", "lang")}
        drawn = {name: columns[name] for name in ("since", "shuffle")}
        Offer.objects.filter(pk=pk, **same).update(**drawn)
    for pk, columns in before["consensus"].items():
        found = RankingConsensus.objects.filter(pk=pk, order=columns["order"])
        found.update(computed_at=columns["computed_at"])
