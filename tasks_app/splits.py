"""Messages about which reviewers differ: with adaptive overlap a moderator decides in the end."""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from oasst.lib.errors import DomainError
from tasks_app import trees
from tasks_app.config import TreeConfig
from tasks_app.enums import ModerationKind
from tasks_app.errors import MessageNotFound
from tasks_app.models import Message, MessageTree
from tasks_app.moderation_log import record, require_reason


class NotSplit(DomainError):
    """The reviewers do not differ, or somebody has decided."""

    code = "not_split"
    status = 409
    default_message = _(
        "There is nothing to decide: reviewers agree about this message by now, or somebody has "
        "decided."
    )


@transaction.atomic
def decide(
    message_id: uuid.UUID, *, accept: bool, actor: Any, reason: str, now: datetime
) -> Message:
    """Take a message in, or leave it out; later reviews do not change that.

    Raises MessageNotFound, NotSplit, ReasonMissing, ReasonTooLong.
    """
    require_reason(reason)
    tree = MessageTree.objects.locked().filter(messages=message_id).first()
    message = Message.objects.filter(pk=message_id).first()
    if tree is None or message is None:
        raise MessageNotFound
    if message.split_at is None or message.review_result is not None or message.deleted:
        raise NotSplit
    message.review_result = accept
    message.save(update_fields=["review_result"])
    record(
        ModerationKind.DECIDE_SPLIT,
        actor=actor,
        reason=reason,
        now=now,
        message=message,
        data={"accepted": accept, "reviews": message.review_count},
    )
    trees.advance(tree, config=TreeConfig.current(), now=now, actor=actor)
    return message
