"""Undoing one action of the moderation log: what it changed is again as it was, and both stay in
the log. Bulk actions are undone as a whole, by `bulk.actions`.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from oasst.lib.errors import DomainError
from tasks_app import holding, moderation
from tasks_app.enums import ModerationKind as Kind
from tasks_app.models import ModerationAction
from tasks_app.moderation_log import record, require_reason

UNDONE_WITHIN = timedelta(days=30)
# What an action is about to change back has since been changed by any of these.
_SAME_MATTER = {
    Kind.MUTE_USER: {Kind.MUTE_USER},
    Kind.BAN_USER: {Kind.BAN_USER, Kind.UNBAN_USER},
    Kind.UNBAN_USER: {Kind.BAN_USER, Kind.UNBAN_USER},
    Kind.HOLD_USER: {Kind.HOLD_USER, Kind.UNHOLD_USER},
    Kind.UNHOLD_USER: {Kind.HOLD_USER, Kind.UNHOLD_USER},
    Kind.HALT_TREE: {Kind.HALT_TREE, Kind.UNHALT_TREE},
}


class CannotTakeBack(DomainError):
    """An entry that cannot be undone, or not any more."""

    code = "cannot_take_back"
    status = 409
    default_message = _(
        "This cannot be undone: it was undone before, something has changed since, it lies more "
        "than 30 days back, or it is of a kind that has no way back."
    )


def may_be_undone(entry: ModerationAction, now: datetime) -> bool:
    """Whether `take_back` would do it. Two queries."""
    matter = _SAME_MATTER.get(Kind(entry.action)) if entry.action in Kind else None
    if matter is None or now - entry.created_at >= UNDONE_WITHIN:
        return False
    if ModerationAction.objects.filter(undoes=entry).exists():
        return False
    later = ModerationAction.objects.filter(pk__gt=entry.pk, action__in=matter)
    return not later.filter(user_id=entry.user_id, tree_id=entry.tree_id).exists()


def take_back(entry_id: int, *, actor: Any, reason: str, now: datetime) -> ModerationAction:
    """Undo one entry of the log. Returns the entry that this adds.

    Raises CannotTakeBack, and what acting on that person or tree raises.
    """
    require_reason(reason)
    with transaction.atomic():
        entry = ModerationAction.objects.filter(pk=entry_id).first()
        if entry is None:
            raise CannotTakeBack
        target = _locked_target(entry, actor)
        if not may_be_undone(entry, now):
            raise CannotTakeBack
        _BACK[Kind(entry.action)](target, entry, now)
        about = {"user" if entry.user_id else "tree": target}
        added = record(Kind.UNDO, actor=actor, reason=reason, now=now, undoes=entry, **about)
    if entry.action == Kind.BAN_USER:
        moderation.return_prompts(target, now=now)
    elif entry.action == Kind.UNBAN_USER:
        moderation.free_reservations(target, now=now)
        moderation.halt_prompts_of_disabled_users(now=now)
    return added


def _locked_target(entry: ModerationAction, actor: Any) -> Any:
    """The person or tree that the entry is about."""
    if entry.user_id:
        return moderation.lock_person(entry.user_id, actor)
    if entry.tree_id:
        return moderation.locked_tree(entry.tree_id)
    raise CannotTakeBack


def _mute_back(person: Any, entry: ModerationAction, now: datetime) -> None:
    before = entry.data.get("before")
    person.muted_until = parse_datetime(before) if before else None
    person.save(update_fields=["muted_until"])


def _ban_back(person: Any, entry: ModerationAction, now: datetime) -> None:
    if person.deleted_at is not None:
        raise CannotTakeBack
    person.is_active = True
    person.save(update_fields=["is_active"])


def _unban_back(person: Any, entry: ModerationAction, now: datetime) -> None:
    moderation.lock_out(person, now=now)


def _hold_back(person: Any, entry: ModerationAction, now: datetime) -> None:
    holding.set_held(person, None, now=now)


def _unhold_back(person: Any, entry: ModerationAction, now: datetime) -> None:
    holding.set_held(person, parse_datetime(entry.data["since"]), now=now)


def _halt_back(tree: Any, entry: ModerationAction, now: datetime) -> None:
    if not moderation.return_to_state_before(tree, now=now):
        raise CannotTakeBack


_BACK: dict[Kind, Callable[[Any, ModerationAction, datetime], None]] = {
    Kind.MUTE_USER: _mute_back,
    Kind.BAN_USER: _ban_back,
    Kind.UNBAN_USER: _unban_back,
    Kind.HOLD_USER: _hold_back,
    Kind.UNHOLD_USER: _unhold_back,
    Kind.HALT_TREE: _halt_back,
}
