"""The work of a bulk action in one tree, in one transaction that ends in `trees.advance()`."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.db.models import F

from tasks_app import labels, prompt_rankings, reactions, reliability, reviewing, scoring, trees
from tasks_app.bulk import images
from tasks_app.config import TreeConfig
from tasks_app.enums import BulkKind, LabelKind, ReportState
from tasks_app.enums import ModerationKind as Kind
from tasks_app.models import (
    BulkAction,
    BulkStep,
    Message,
    MessageTree,
    Ranking,
    Reaction,
    Report,
    Task,
    TextLabels,
)
from tasks_app.moderation import hide, locked_tree
from tasks_app.moderation_log import record

Removed = dict[str, list[Any]]


def do(step: BulkStep, *, now: datetime) -> None:
    """Carry out a step and remember on it how everything was. Caller holds the step's row lock."""
    if step.tree_id is None:
        step.before = _purge_outside(step.bulk)
    else:
        tree = locked_tree(step.tree_id)
        before = images.take(tree)
        removed = _DOINGS[BulkKind(step.bulk.kind)](tree, step, now)
        trees.advance(tree, config=TreeConfig.current(), now=now, actor=step.bulk.actor)
        step.before = images.difference(before, images.take(tree)) | removed
    step.save(update_fields=["before"])


def _messages(step: BulkStep) -> Iterable[Message]:
    return Message.objects.filter(pk__in=step.targets).order_by("depth", "created_at", "pk")


def _log(kind: Kind, step: BulkStep, now: datetime, **about: Any) -> None:
    bulk = step.bulk
    record(kind, actor=bulk.actor, reason=bulk.reason, now=now, bulk_id=bulk.pk, **about)


def _delete(tree: MessageTree, step: BulkStep, now: datetime) -> Removed:
    for message in _messages(step):
        hidden = hide(tree, message)
        if hidden:
            _log(Kind.DELETE_MESSAGE, step, now, message=message, data={"messages": len(hidden)})
    return {}


def _restore(tree: MessageTree, step: BulkStep, now: datetime) -> Removed:
    for message in _messages(step):
        path = [node.pk for node in Message.objects.thread(message)]
        count = Message.objects.filter(pk__in=path, deleted=True).update(deleted=False)
        if count:
            _log(Kind.RESTORE_MESSAGE, step, now, message=message, data={"messages": count})
    return {}


def _release(tree: MessageTree, step: BulkStep, now: datetime) -> Removed:
    for message in _messages(step):
        if message.held:
            Message.objects.filter(pk=message.pk).update(held=False)
            _log(Kind.RELEASE_MESSAGE, step, now, message=message)
    return {}


def _label(tree: MessageTree, step: BulkStep, now: datetime) -> Removed:
    """Free labels by the moderator; they are no review."""
    value = labels.reported_value(step.bulk.label)
    earlier = []
    for message in _messages(step):
        mine: dict[str, Any] = {"message": message, "user": step.bulk.actor, "kind": LabelKind.FREE}
        given = TextLabels.objects.filter(**mine).first()
        earlier.append({"message": str(message.pk), "row": images.plain(given) if given else None})
        values = (given.values if given else {}) | {step.bulk.label: value}
        TextLabels.objects.update_or_create(**mine, defaults={"values": values, "created_at": now})
        _log(Kind.LABEL_MESSAGE, step, now, message=message, data={"label": step.bulk.label})
    return {"earlier": earlier}


def _purge(tree: MessageTree, step: BulkStep, now: datetime) -> Removed:
    _delete(tree, step, now)
    removed = _take_votes(tree, step.bulk)
    _log(Kind.PURGE_USER, step, now, tree=tree)
    return removed


def _take_votes(tree: MessageTree, bulk: BulkAction) -> Removed:
    """Take a person's reviews, rankings and reactions out of a tree, and count anew."""
    config = TreeConfig.current()
    reviewed = _take_labels(tree, bulk.person, config)
    ranked = list(Ranking.objects.filter(user=bulk.person, parent__tree=tree).order_by("pk"))
    mine = Reaction.objects.filter(user=bulk.person, message__tree=tree)
    reacted = list(mine.select_related("user").order_by("pk"))
    removed = {
        "label_sets": [images.plain(row) for row in reviewed],
        "rankings": [images.plain(row) for row in ranked],
        "reactions": [images.plain(row) for row in reacted],
    }
    for reaction in reacted:
        message = Message.objects.get(pk=reaction.message_id)  # with the counters as they are now
        reactions.take_away(message, reaction.user, reaction.code)
    _uncount(ranked)
    Task.objects.filter(ranking__in=ranked).update(purged=True)
    Ranking.objects.filter(pk__in=[row.pk for row in ranked]).delete()
    scoring.forget_unranked(tree)
    reliability.forget_votes(tree, [*reviewed, *ranked])
    return removed


def _take_labels(tree: MessageTree, person: Any, config: TreeConfig) -> list[TextLabels]:
    rows = TextLabels.objects.filter(user=person, message__tree=tree).order_by("pk")
    taken = []
    for row in rows.select_related("message__imported_labels", "message__tree"):
        row.message.tree = tree
        if row.kind == LabelKind.TASK and reviewing.rests_on(row):
            continue  # a conversation was built upon this review alone
        taken.append(row)
        Task.objects.filter(label_set=row).update(purged=True)
        TextLabels.objects.filter(pk=row.pk).delete()
        if row.kind == LabelKind.TASK:
            reviewing.count_anew(row.message, config=config)
    return taken


def _uncount(rankings: Iterable[Ranking], step: int = -1) -> None:
    for ranking in rankings:
        placed = [pk for group in ranking.groups for pk in group]
        messages = Message.objects.filter(pk__in=placed)
        messages.update(ranking_count=F("ranking_count") + step)


def _purge_outside(bulk: BulkAction) -> images.Image:
    """Rankings of prompts, which belong to no tree, and the reports that wait for moderators."""
    rankings = list(Ranking.objects.filter(user=bulk.person, parent=None).order_by("pk"))
    prompt_rankings.lock(_placed(rankings))
    _uncount(rankings)
    Task.objects.filter(ranking__in=rankings).update(purged=True)
    reports = Report.objects.waiting().filter(user=bulk.person).order_by("pk")
    waiting = [str(pk) for pk in reports.select_for_update().values_list("pk", flat=True)]
    Report.objects.filter(pk__in=waiting).update(state=ReportState.DISMISSED)
    kept = [images.plain(row) for row in rankings]
    Ranking.objects.filter(pk__in=[row.pk for row in rankings]).delete()
    return {"rankings": kept, "reports": waiting}


def _placed(rankings: Iterable[Ranking]) -> list[str]:
    return [pk for ranking in rankings for group in ranking.groups for pk in group]


_DOINGS: dict[BulkKind, Callable[[MessageTree, BulkStep, datetime], Removed]] = {
    BulkKind.DELETE: _delete,
    BulkKind.RESTORE: _restore,
    BulkKind.RELEASE: _release,
    BulkKind.LABEL: _label,
    BulkKind.PURGE: _purge,
}
