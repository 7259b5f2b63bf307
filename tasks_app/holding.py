"""Holding back what a person writes: their new messages wait for a moderator, unseen by others.

The person notices nothing: a held message looks to them like one in review. For everybody else,
and for its tree, it is not there: it takes no place, is not reviewed, counted or exported.
"""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from oasst.lib.errors import DomainError
from tasks_app import trees
from tasks_app.config import TreeConfig
from tasks_app.enums import ModerationKind as Kind
from tasks_app.moderation import lock_person, locked_message
from tasks_app.moderation_log import record, require_reason


class NotHeld(DomainError):
    """Somebody has decided on the message meanwhile."""

    code = "not_held"
    status = 409
    default_message = _("This message is not held back any more.")


@transaction.atomic
def hold_user(user_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> Any:
    """Let every message that a person writes from now on wait for a moderator.

    Doing it twice is fine. Raises PersonNotFound, NotYours.
    """
    require_reason(reason)
    person = lock_person(user_id, actor)
    if person.held_since is None:
        person.held_since = now
        person.save(update_fields=["held_since"])
        record(Kind.HOLD_USER, actor=actor, reason=reason, now=now, user=person)
    return person


@transaction.atomic
def unhold_user(user_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> Any:
    """Let a person's messages appear at once again. What is held stays held until decided."""
    require_reason(reason)
    person = lock_person(user_id, actor)
    if person.held_since is not None:
        since = person.held_since.isoformat()
        person.held_since = None
        person.save(update_fields=["held_since"])
        data = {"since": since}
        record(Kind.UNHOLD_USER, actor=actor, reason=reason, now=now, user=person, data=data)
    return person


@transaction.atomic
def release_message(message_id: uuid.UUID, *, actor: Any, reason: str, now: datetime) -> None:
    """Let a held message out: reviewers get it as if it had just been written. Raises NotHeld."""
    require_reason(reason)
    message, tree = locked_message(message_id)
    if not message.held:
        raise NotHeld
    message.held = False
    message.save(update_fields=["held"])
    record(Kind.RELEASE_MESSAGE, actor=actor, reason=reason, now=now, message=message)
    trees.advance(tree, config=TreeConfig.current(), now=now, actor=actor)
