"""Undoing one action of the moderation log: what it changed is again as it was, and both stay in
the log. Bulk actions are undone as a whole, by `bulk.actions`.

What is undone on a message is told like any change of it, so that its author learns of it, and can
be undone in turn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from oasst.lib.errors import DomainError
from tasks_app import gold_items, holding, moderation, reviewing, standing, trees
from tasks_app.config import TreeConfig
from tasks_app.enums import ModerationKind as Kind
from tasks_app.models import Message, MessageRevision, ModerationAction
from tasks_app.moderation_log import record, require_reason

UNDONE_WITHIN = timedelta(days=30)
_VISIBILITY = {Kind.DELETE_MESSAGE, Kind.RESTORE_MESSAGE, Kind.AUTO_DELETE}
_GOLD = {Kind.MAKE_GOLD, Kind.RETIRE_GOLD}
# What an action is about to change back has since been changed by any of these, on the same person
# or in the same tree.
_SAME_MATTER = {
    Kind.MUTE_USER: {Kind.MUTE_USER},
    Kind.BAN_USER: {Kind.BAN_USER, Kind.UNBAN_USER},
    Kind.UNBAN_USER: {Kind.BAN_USER, Kind.UNBAN_USER},
    Kind.HOLD_USER: {Kind.HOLD_USER, Kind.UNHOLD_USER},
    Kind.UNHOLD_USER: {Kind.HOLD_USER, Kind.UNHOLD_USER},
    Kind.HALT_TREE: {Kind.HALT_TREE, Kind.UNHALT_TREE},
    Kind.DELETE_MESSAGE: _VISIBILITY,
    Kind.RESTORE_MESSAGE: _VISIBILITY,
    Kind.EDIT_MESSAGE: {Kind.EDIT_MESSAGE},
    Kind.SET_ROLE: {Kind.SET_ROLE},
    Kind.MAKE_GOLD: _GOLD,
    Kind.RETIRE_GOLD: _GOLD,
    Kind.DECIDE_SPLIT: {Kind.DECIDE_SPLIT},
}
# Those that concern one message and no other of its tree.
_OF_ONE_MESSAGE = {Kind.EDIT_MESSAGE, Kind.DECIDE_SPLIT, *_GOLD}
# Entries without it are older than their undo, or parts of a bulk action.
_NEEDED = {Kind.DELETE_MESSAGE: "hidden", Kind.RESTORE_MESSAGE: "shown"}
# How the undoing of these stands in the log; all others as an undoing.
_TOLD_AS = {
    Kind.DELETE_MESSAGE: Kind.RESTORE_MESSAGE,
    Kind.RESTORE_MESSAGE: Kind.DELETE_MESSAGE,
    Kind.EDIT_MESSAGE: Kind.EDIT_MESSAGE,
}


@dataclass(frozen=True)
class Undoing:
    """Who takes which entry back, why and when."""

    entry: ModerationAction
    actor: Any
    reason: str
    now: datetime


class CannotTakeBack(DomainError):
    """An entry that cannot be undone, or not any more."""

    code = "cannot_take_back"
    status = 409
    default_message = _(
        "This cannot be undone: it was undone before, something has changed since, it lies more "
        "than 30 days back, or it is of a kind that has no way back."
    )


def may_be_undone(entry: ModerationAction, now: datetime) -> bool:
    """Whether nothing in the log stands against `take_back`. Two queries."""
    matter = _SAME_MATTER.get(Kind(entry.action)) if entry.action in Kind else None
    if matter is None or now - entry.created_at >= UNDONE_WITHIN:
        return False
    needed = _NEEDED.get(Kind(entry.action))
    if needed and needed not in entry.data:
        return False
    if ModerationAction.objects.filter(undoes=entry).exists():
        return False
    later = ModerationAction.objects.filter(pk__gt=entry.pk, action__in=matter)
    if entry.action in _OF_ONE_MESSAGE:
        later = later.filter(message_id=entry.message_id)
    return not later.filter(user_id=entry.user_id, tree_id=entry.tree_id).exists()


def take_back(entry_id: int, *, actor: Any, reason: str, now: datetime) -> ModerationAction:
    """Undo one entry of the log. Returns the entry that this adds.

    Raises CannotTakeBack, and what acting on that person, tree or message raises.
    """
    require_reason(reason)
    with transaction.atomic():
        entry = ModerationAction.objects.filter(pk=entry_id).first()
        if entry is None:
            raise CannotTakeBack
        kind, target = Kind(entry.action), _locked_target(entry, actor)
        if not may_be_undone(entry, now):
            raise CannotTakeBack
        data = _BACK[kind](target, Undoing(entry, actor, reason, now))
        told = {"actor": actor, "reason": reason, "now": now, "undoes": entry, "data": data}
        about = "user" if entry.user_id else "message" if entry.message_id else "tree"
        added = record(_TOLD_AS.get(kind, Kind.UNDO), **told, **{about: target})
        if about == "message":
            trees.advance(target.tree, config=TreeConfig.current(), now=now, actor=actor)
    if entry.action == Kind.BAN_USER:
        moderation.return_prompts(target, now=now)
    elif entry.action == Kind.UNBAN_USER:
        moderation.free_reservations(target, now=now)
        moderation.halt_prompts_of_disabled_users(now=now)
    return added


def _locked_target(entry: ModerationAction, actor: Any) -> Any:
    """The person, message or tree that the entry is about."""
    if entry.user_id:
        return moderation.lock_person(entry.user_id, actor)
    if entry.message_id:
        message, tree = moderation.locked_message(entry.message_id)
        message.tree = tree
        return message
    if entry.tree_id:
        return moderation.locked_tree(entry.tree_id)
    raise CannotTakeBack


# Each changes something back; returns what the entry that tells of it holds.


def _mute_back(person: Any, undoing: Undoing) -> None:
    before = undoing.entry.data.get("before")
    person.muted_until = parse_datetime(before) if before else None
    person.save(update_fields=["muted_until"])


def _ban_back(person: Any, undoing: Undoing) -> None:
    if person.deleted_at is not None:
        raise CannotTakeBack
    person.is_active = True
    person.save(update_fields=["is_active"])


def _unban_back(person: Any, undoing: Undoing) -> None:
    moderation.lock_out(person, now=undoing.now)


def _hold_back(person: Any, undoing: Undoing) -> None:
    holding.set_held(person, None, now=undoing.now)


def _unhold_back(person: Any, undoing: Undoing) -> None:
    holding.set_held(person, parse_datetime(undoing.entry.data["since"]), now=undoing.now)


def _halt_back(tree: Any, undoing: Undoing) -> None:
    if not moderation.return_to_state_before(tree, now=undoing.now):
        raise CannotTakeBack


def _deletion_back(message: Message, undoing: Undoing) -> dict[str, Any]:
    """Show what was hidden, unless what is above it is hidden by now."""
    ids = undoing.entry.data["hidden"]
    above = [node for node in Message.objects.thread(message) if str(node.pk) not in ids]
    if any(node.deleted for node in above):
        raise CannotTakeBack
    hidden = Message.objects.filter(pk__in=ids, deleted=True)
    shown = list(hidden.values_list("pk", flat=True))
    found = Message.objects.filter(pk__in=shown)
    found.update(deleted=False)
    found.filter(pk__in=undoing.entry.data["held"]).update(held=True)
    return moderation.told_of_shown(shown)


def _restoration_back(message: Message, undoing: Undoing) -> dict[str, Any]:
    """Hide what was shown, unless somebody has replied to it."""
    shown = set(undoing.entry.data["shown"])
    path = [node for node in Message.objects.thread(message) if str(node.pk) in shown]
    if not path or _visible_below(path[0]) - shown:
        raise CannotTakeBack
    return moderation.told_of_hidden(moderation.hide(message.tree, path[0]))


def _visible_below(message: Message) -> set[str]:
    below = Message.objects.with_all_below([message.pk])
    visible = Message.objects.filter(pk__in=below, deleted=False)
    return {str(pk) for pk in visible.values_list("pk", flat=True)}


def _edit_back(message: Message, undoing: Undoing) -> None:
    revisions = MessageRevision.objects.filter(message=message).order_by("-pk")
    texts = list(revisions.values_list("text", flat=True)[:2])
    if len(texts) < 2 or texts[0] != message.text:
        raise CannotTakeBack
    moderation.rewrite(
        message, texts[1], actor=undoing.actor, reason=undoing.reason, now=undoing.now
    )


def _role_back(person: Any, undoing: Undoing) -> None:
    standing.give_roles(person, undoing.entry.data["from"], actor=undoing.actor)


def _gold_back(message: Message, undoing: Undoing) -> None:
    if not gold_items.set_active(message, undoing.entry.action == Kind.RETIRE_GOLD):
        raise CannotTakeBack


def _decision_back(message: Message, undoing: Undoing) -> None:
    """The message waits for a moderator again, unless others have built upon the decision."""
    if message.deleted:
        raise CannotTakeBack
    reviewing.reopen(message, config=TreeConfig.current())


_BACK: dict[Kind, Callable[[Any, Undoing], dict[str, Any] | None]] = {
    Kind.MUTE_USER: _mute_back,
    Kind.BAN_USER: _ban_back,
    Kind.UNBAN_USER: _unban_back,
    Kind.HOLD_USER: _hold_back,
    Kind.UNHOLD_USER: _unhold_back,
    Kind.HALT_TREE: _halt_back,
    Kind.DELETE_MESSAGE: _deletion_back,
    Kind.RESTORE_MESSAGE: _restoration_back,
    Kind.EDIT_MESSAGE: _edit_back,
    Kind.SET_ROLE: _role_back,
    Kind.MAKE_GOLD: _gold_back,
    Kind.RETIRE_GOLD: _gold_back,
    Kind.DECIDE_SPLIT: _decision_back,
}
