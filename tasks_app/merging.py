"""Makes one of two accounts of the same person, by an admin's word.

Votes that one person may not give stay with the account that is closed, where they give no points:
on a message that both judged, and on what the other account wrote. What cannot be moved stays with
it, too, until `oasst.privacy` forgets it: so long a merge can be undone (`unmerging`).
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from django.core import serializers
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from oasst.accounts import magic_link, merging, people
from oasst.accounts.models import User
from oasst.lib.errors import DomainError
from tasks_app import holding, moderation, trees, turns
from tasks_app.config import TreeConfig
from tasks_app.enums import LabelKind
from tasks_app.enums import ModerationKind as Kind
from tasks_app.merge_records import Merge, MergedRows
from tasks_app.models import (
    Contribution,
    Draft,
    GoldAnswer,
    Message,
    MessageTree,
    Ranking,
    Task,
    TextLabels,
)
from tasks_app.moderation_log import record, require_reason
from tasks_app.notice_records import Notification

logger = logging.getLogger(__name__)

# By their tasks; the log, whose entries stay as they are; what is counted anew from the others.
_NOT_BY_COLUMN = {
    "tasks_app.Task", "tasks_app.TextLabels", "tasks_app.Ranking", "tasks_app.GoldAnswer",
    "tasks_app.Contribution", "tasks_app.ModerationAction", "tasks_app.ConfigChange",
    "tasks_app.Merge", "tasks_app.Reliability", "leaderboard_app.PointEntry",
    "leaderboard_app.UserStats", "leaderboard_app.TrollStats", "leaderboard_app.Streak",
}  # fmt: skip


class CannotMerge(DomainError):
    """These two accounts are not to become one."""

    code, status = "cannot_merge", 409
    default_message = _(
        "These accounts cannot be merged: both have to be active, two different ones, and without "
        "a role. Lift a ban or take the role away first."
    )


class AccountUnknown(DomainError):
    """Nobody signs in with this address, or has this id."""

    code, status = "account_unknown", 404
    default_message = _("No account has this e-mail address or id.")


@dataclass(frozen=True)
class Plan:
    """How much moves with a merge, and how many votes stay behind."""

    messages: int
    votes: int
    sessions: int
    tokens: int
    staying: int


def find(words: str) -> User:
    """The account with this address or id. Raises AccountUnknown."""
    try:
        found = User.objects.filter(pk=uuid.UUID(words.strip())).first()
    except ValueError:
        found = people.find(words.strip())
    if found is None:
        raise AccountUnknown
    return found


def plan(source: User, into: User) -> Plan:
    """What `merge` would do. Raises CannotMerge."""
    _require_fit(source, into)
    staying = _staying(source, into)
    votes = Task.objects.filter(user=source, done_at__isnull=False, result=None)
    return Plan(
        messages=Message.objects.filter(user=source).count(),
        votes=votes.exclude(pk__in=staying).count(),
        sessions=source.open_sessions.count(),
        tokens=source.api_tokens.count(),
        staying=len(staying) + len(list(_apart(into, source))),
    )


def merge(
    source_id: uuid.UUID, into_id: uuid.UUID, *, actor: Any, reason: str, now: datetime
) -> Plan:
    """Move everything of one account to another and close it; both addresses sign in then.

    The log keeps who did it and why. Raises CannotMerge, and what `lock_person` raises.
    """
    require_reason(reason)
    with transaction.atomic():
        locked = {pk: moderation.lock_person(pk, actor) for pk in sorted({source_id, into_id})}
        source, into = locked[source_id], locked[into_id]
        if actor is not None and not actor.is_admin:
            raise moderation.NotYours
        _require_fit(source, into)
        touched = lock_work(source, into)
        before = _before(source, into)
        freed, before.dropped = _free_tasks(source, into)
        done = plan(source, into)
        moved = _move(source, into)
        _end(source, into, now)
        config = TreeConfig.current()
        for tree_id in sorted(freed):
            trees.advance(touched[tree_id], config=config, now=now)
        data = {"from": str(source.pk), "votes_left": done.staying}
        before.entry = record(
            Kind.MERGE_PEOPLE, actor=actor, reason=reason, now=now, user=into, data=data
        )
        before.merged_at = now
        _keep(before, moved)
    return done


def serialised(rows: Iterable[Model]) -> list[Any]:
    """Rows as they can be kept in a column and restored."""
    return list(json.loads(serializers.serialize("json", rows)))


def _before(source: User, into: User) -> Merge:
    """What the accounts are now, to be saved when it is known what they become."""
    (mine,), (theirs,) = serialised([source]), serialised([into])
    addresses = {
        name: serialised(EmailAddress.objects.filter(user=user))
        for name, user in (("source", source), ("into", into))
    }
    accounts = {"source": mine, "into": theirs}
    return Merge(source=source, into=into, accounts=accounts, addresses=addresses)


def _keep(merge: Merge, moved: merging.Moved) -> None:
    (merge.accounts["after"],) = serialised([User.objects.get(pk=merge.into_id)])
    merge.save()
    MergedRows.objects.bulk_create(
        [
            MergedRows(
                merge=merge,
                model=model._meta.label,
                column=field,
                was_source=to.pk == merge.into_id,
                ids=[str(key) for key in keys],
            )
            for model, field, to, keys in moved.chunks()
        ],
        batch_size=20,
    )


def _require_fit(source: User, into: User) -> None:
    fit = source.pk != into.pk and all(
        each.is_active and each.deleted_at is None and not each.is_moderator
        for each in (source, into)
    )
    if not fit:
        raise CannotMerge


def lock_work(
    source: User, into: User, also: Iterable[uuid.UUID] = ()
) -> dict[uuid.UUID, MessageTree]:
    """Lock what either has a hand in: a hand-out or submit of theirs that is under way comes to its
    end first, and none comes in between. Gives the trees.

    Everybody locks the person before the tree, and whoever locks several trees goes by their ids.
    """
    for person in sorted((source, into), key=lambda each: each.pk):
        turns.lock_user(person)
    ids = set(Task.objects.filter(user__in=[source, into]).values_list("tree", flat=True))
    ids |= set(Message.objects.filter(user=source).values_list("tree", flat=True))
    ids |= set(also)
    found = MessageTree.objects.locked().filter(pk__in=ids - {None}).order_by("pk")
    return {tree.pk: tree for tree in found}


def _free_tasks(source: User, into: User) -> tuple[set[uuid.UUID], list[Any]]:
    """Give open tasks back: all of `source`, and those of `into` on what `source` wrote; the trees
    that they were in, and the rows that go."""
    begun = Task.objects.filter(done_at=None, skipped_at=None)
    about = Q(message__user=source) | Q(gold__message__user=source)
    doomed = begun.filter(Q(user=source) | Q(about, user=into))
    found = dict(doomed.values_list("pk", "tree"))
    tasks, drafts = Task.objects.filter(pk__in=found), Draft.objects.filter(task__in=found)
    dropped = serialised([*tasks, *drafts])
    tasks.delete()
    return {tree_id for tree_id in found.values() if tree_id}, dropped


def _move(source: User, into: User) -> merging.Moved:
    moved = merging.Moved()
    staying, given = _staying(source, into), list(_apart(into, source))
    _give(Task.objects.filter(user=source).exclude(pk__in=staying), into, moved)
    _give(Task.objects.filter(pk__in=given), source, moved)
    merging.move(source, into, moved, skipping=_NOT_BY_COLUMN)
    for model in (TextLabels, Ranking, Contribution):  # what no task led to
        moved.give(merging.movable(model, "user", source, into).filter(task=None), "user", into)
    return moved


def _give(tasks: QuerySet[Task], to: User, moved: merging.Moved) -> None:
    """Tasks with what they led to, messages excepted."""
    ids = list(tasks.values_list("pk", flat=True))
    for model in (TextLabels, Ranking, GoldAnswer, Contribution):
        moved.give(model._base_manager.filter(task__in=ids), "user", to)
    moved.give(Task.objects.filter(pk__in=ids), "user", to)


def _staying(source: User, into: User) -> set[uuid.UUID]:
    return {*_apart(source, into), *_doubled(source, into)}


def _apart(mine: User, other: User) -> Iterator[uuid.UUID]:
    """Tasks by which `mine` judged what `other` wrote."""
    tasks = Task.objects.filter(user=mine)
    reviewed = Q(label_set__message__user=other) | Q(gold__message__user=other)
    yield from tasks.filter(reviewed).values_list("pk", flat=True)
    wrote = {str(pk) for pk in Message.objects.filter(user=other).values_list("pk", flat=True)}
    rankings = Ranking.objects.filter(user=mine, task__isnull=False)
    for task_id, groups in rankings.values_list("task", "groups"):
        if any(pk in wrote for group in groups for pk in group):
            yield task_id


def _doubled(source: User, into: User) -> Iterator[uuid.UUID]:
    """Tasks by which `source` judged what `into` judged as well."""
    tasks = Task.objects.filter(user=source)
    theirs = TextLabels.objects.filter(user=into, kind=LabelKind.TASK).values("message")
    gold = Task.objects.filter(user=into, gold__isnull=False).values("gold")
    ranked = Ranking.objects.filter(user=into, parent__isnull=False).values("parent")
    both = (
        Q(label_set__message__in=theirs)
        | Q(label_set__message__in=gold)
        | Q(gold__in=gold)
        | Q(gold__in=theirs)
        | Q(ranking__parent__in=ranked)
    )
    yield from tasks.filter(both).values_list("pk", flat=True)


def _end(source: User, into: User, now: datetime) -> None:
    """Let both addresses sign in as `into`, whom what was decided about either binds; close the
    other account."""
    people.take_over_address(source, into)
    both = (source, into)
    into.muted_until = max((each.muted_until for each in both if each.muted_until), default=None)
    if held := [each.held_since for each in both if each.held_since]:
        holding.set_held(into, min(held), now=now)  # with all votes, whoever of the two gave them
    spoken = dict.fromkeys([*into.contribution_languages, *source.contribution_languages])
    into.contribution_languages = list(spoken)
    into.date_joined = min(source.date_joined, into.date_joined)
    into.notes = "\n".join(filter(None, [into.notes, source.notes]))
    into.unread_notifications = Notification.objects.filter(user=into, read_at=None).count()
    into.save()
    source.unread_notifications = 0
    people.close(source, now=now)
    magic_link.void([source.email], now=now)
    EmailAddress.objects.filter(user=source).delete()
    people.blank(source, now=now)
