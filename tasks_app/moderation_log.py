"""The append-only log of what moderators and the automatic rules did, and why."""

import logging
import uuid
from datetime import datetime
from typing import Any

from oasst.lib import queue
from tasks_app.enums import ModerationKind
from tasks_app.errors import ReasonMissing, ReasonTooLong
from tasks_app.models import Message, MessageTree, ModerationAction

logger = logging.getLogger(__name__)

MAX_REASON_LENGTH = 500


def require_reason(reason: str, *, limit: int = MAX_REASON_LENGTH) -> None:
    """Raise ReasonMissing for white space, ReasonTooLong for what no column would hold."""
    if not reason.strip():
        raise ReasonMissing
    if len(reason) > limit:
        raise ReasonTooLong(limit)


def record(
    kind: ModerationKind,
    *,
    actor: Any,
    reason: str,
    now: datetime,
    tree: MessageTree | None = None,
    message: Message | None = None,
    user: Any = None,
    data: dict[str, Any] | None = None,
    bulk_id: uuid.UUID | None = None,
    undoes: ModerationAction | None = None,
) -> ModerationAction:
    """Add one entry. No actor: a rule or a command did it."""
    entry = ModerationAction.objects.create(
        action=kind,
        actor=actor,
        reason=reason[:MAX_REASON_LENGTH],
        tree_id=tree.pk if tree else message.tree_id if message else None,
        message_id=message.pk if message else None,
        user_id=user.pk if user else None,
        data=data or {},
        bulk_id=bulk_id,
        undoes=undoes,
        created_at=now,
    )
    queue.enqueue("leaderboard_app.jobs.book_points", key="points")  # by name: it lives above
    logger.info("moderation: %s by %s", kind, getattr(actor, "pk", "system"))
    return entry
