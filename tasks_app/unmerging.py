"""Undoes a merge of two accounts while it is known what it moved; see `merging`.

What was written since stays with the account that both were. What a merge changed and somebody has
changed again since stays, too. Both people are signed out: nobody knows who sits at which device.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.apps import apps
from django.conf import settings
from django.core import serializers
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from oasst.accounts import merging as columns
from oasst.accounts import people
from oasst.accounts.models import User
from oasst.lib.errors import DomainError
from tasks_app import holding, merging, moderation, trees, turns
from tasks_app.config import TreeConfig
from tasks_app.enums import ModerationKind as Kind
from tasks_app.merge_records import Merge
from tasks_app.models import (
    Draft,
    Message,
    MessageTree,
    ModerationAction,
    Ranking,
    Task,
    TextLabels,
)
from tasks_app.moderation_log import record, require_reason
from tasks_app.notice_records import Notification


class CannotUnmerge(DomainError):
    """The merge is no longer to be undone."""

    code, status = "cannot_unmerge", 409
    default_message = _(
        "This merge cannot be undone: too much time has passed, the account that stayed was "
        "deleted or merged itself, or somebody else uses an address of the other one by now."
    )


@dataclass(frozen=True)
class Plan:
    """How many rows go back."""

    messages: int
    votes: int
    others: int
    tasks: int


def may_be_undone(entry: ModerationAction, now: datetime) -> bool:
    """Whether an entry of the log tells of a merge that can still be undone."""
    if entry.action != Kind.MERGE_PEOPLE:
        return False
    merge = Merge.objects.filter(entry=entry).select_related("into").first()
    return merge is not None and _is_fit(merge, merge.into, now)


def plan(entry: ModerationAction) -> Plan:
    """What `undo` would do now. Raises CannotUnmerge."""
    merge = Merge.objects.filter(entry=entry).select_related("source", "into").first()
    if merge is None:
        raise CannotUnmerge
    counts: dict[Any, int] = {}
    for rows, _column, _owner in _going_back(merge, merge.source, merge.into):
        counts[rows.model] = counts.get(rows.model, 0) + rows.count()
    messages = counts.pop(Message, 0)
    votes = counts.pop(TextLabels, 0) + counts.pop(Ranking, 0)
    tasks = sum(row["model"] == Task._meta.label_lower for row in merge.dropped)
    return Plan(messages=messages, votes=votes, others=sum(counts.values()), tasks=tasks)


@transaction.atomic
def undo(entry_id: int, *, actor: Any, reason: str, now: datetime) -> ModerationAction:
    """Make two accounts again of those that a merge made one; returns the entry that tells of it.

    A second time changes nothing. Raises CannotUnmerge, and what `lock_person` raises.
    """
    require_reason(reason)
    entry = ModerationAction.objects.filter(pk=entry_id, action=Kind.MERGE_PEOPLE).first()
    if entry is None or entry.user_id is None:
        raise CannotUnmerge
    ids = sorted([uuid.UUID(entry.data["from"]), entry.user_id])
    locked = {pk: moderation.lock_person(pk, actor) for pk in ids}
    if actor is not None and not actor.is_admin:
        raise moderation.NotYours
    if done := ModerationAction.objects.filter(undoes=entry).first():
        return done
    merge = Merge.objects.filter(entry=entry).first()
    if merge is None or not _is_fit(merge, locked[merge.into_id], now):
        raise CannotUnmerge
    source, into = locked[merge.source_id], locked[merge.into_id]
    dropped = [row for row in _rows(merge.dropped) if isinstance(row, Task)]
    touched = merging.lock_work(
        into, source, also={task.tree_id for task in dropped if task.tree_id}
    )
    for rows, column, owner in _going_back(merge, source, into):
        rows.update(**{column: owner})
    source = _restore_accounts(merge, source, into, now)
    _restore_tasks(merge.dropped, touched, now)
    told = {"actor": actor, "reason": reason, "now": now}
    added = record(Kind.UNDO, **told, user=into, undoes=entry, data=entry.data)
    merge.delete()
    return added


def _is_fit(merge: Merge, into: User, now: datetime) -> bool:
    within = timedelta(days=settings.MERGE_UNDO_DAYS)
    return into.deleted_at is None and now - merge.merged_at < within


def _going_back(
    merge: Merge, source: User, into: User
) -> Iterator[tuple[QuerySet[Any], str, User]]:
    """Rows that are still where the merge put them, the column, and whose they were. What one
    account may not have besides its own rows stays."""
    taken: dict[tuple[str, str, bool], set[Any]] = {}
    for part in merge.rows.order_by("pk").iterator(chunk_size=20):
        model = apps.get_model(part.model)
        owner, holder = (source, into) if part.was_source else (into, source)
        # Asked once a table: to ask it of every thousand rows would read all of them each time.
        key = (part.model, part.column, part.was_source)
        if key not in taken:
            taken[key] = columns.taken(model, part.column, holder, owner)
        ids = {model._meta.pk.to_python(each) for each in part.ids} - taken[key]
        rows = model._base_manager.filter(pk__in=ids, **{part.column: holder})
        yield rows, part.column, owner


def _restore_accounts(merge: Merge, source: User, into: User, now: datetime) -> User:
    """Both as they were, but for what was changed at `into` since; gives `source` anew."""
    was_held = into.is_held
    (before,) = _rows([merge.accounts["source"]])
    _part_addresses(merge, before, into)
    _restore_changed(merge, into)
    before.session_epoch = source.session_epoch
    before.save(force_update=True)
    for user in (before, into):
        user.unread_notifications = Notification.objects.filter(user=user, read_at=None).count()
        user.save()
        people.end_all_sessions(user, now=now)
        if was_held or before.is_held:
            holding.set_held(user, user.held_since, now=now)
    return before


def _restore_changed(merge: Merge, into: User) -> None:
    """What the merge changed at the account that stayed, and nobody has since."""
    (was,) = _rows([merge.accounts["into"]])
    after, (now_is,) = merge.accounts["after"]["fields"], merging.serialised([into])
    for name, value in merge.accounts["into"]["fields"].items():
        if name in after and value != after[name] == now_is["fields"].get(name):
            setattr(into, name, getattr(was, name))


def _part_addresses(merge: Merge, before: User, into: User) -> None:
    """Let the addresses of the closed account sign in as it again. Raises CannotUnmerge."""
    rows = _rows(merge.addresses["source"])
    emails = {before.email, *(row.email for row in rows)}
    known = {row.email for row in _rows(merge.addresses["into"])}
    others = User.objects.exclude(pk__in=[before.pk, into.pk])
    taken = EmailAddress.objects.filter(email__in=emails, verified=True, user__in=others)
    if taken.exists() or others.filter(email__in=emails).exists():
        raise CannotUnmerge
    EmailAddress.objects.filter(user=into, email__in=emails - known).delete()
    if into.email in emails:  # made the primary one since
        old = merge.accounts["into"]["fields"]["email"]
        if people.find(old) not in (None, into):
            raise CannotUnmerge
        people.set_address(into, old)
    for row in rows:
        row.save()


def _restore_tasks(
    dropped: list[Any], touched: dict[uuid.UUID, MessageTree], now: datetime
) -> None:
    """Open tasks again, with their drafts and with a place if there is one, unless what they are
    about is gone or somebody has got the same since."""
    config, restored = TreeConfig.current(), set()
    for row in _rows(dropped):
        if isinstance(row, Task) and _may_be_restored(row):
            tree = touched.get(row.tree_id) if row.tree_id else None
            is_free = tree is not None and turns.is_free(row, tree, config)
            row.holds_slot = row.holds_slot and row.reserved_until > now and is_free
            row.save(force_insert=True)
            restored.add(row.pk)
            if tree is not None:
                trees.advance(tree, config=config, now=now)
        elif isinstance(row, Draft) and row.task_id in restored:
            row.save()


def _may_be_restored(task: Task) -> bool:
    about = not task.message_id or Message.objects.filter(pk=task.message_id).exists()
    same = Q(message=task.message_id, message__isnull=False, done_at=None, skipped_at=None)
    same |= Q(gold=task.gold_id, gold__isnull=False)
    return about and not Task.objects.filter(same, user=task.user_id).exists()


def _rows(kept: Iterable[Any]) -> list[Any]:
    return [each.object for each in serializers.deserialize("python", kept, ignorenonexistent=True)]
