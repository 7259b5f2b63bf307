"""What a text must be to become a message: not empty, not too long, storable, not said already."""

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Value

from oasst.lib.characters import UNSTORABLE
from tasks_app.config import TreeConfig
from tasks_app.errors import DuplicateReply, DuplicateText, TextEmpty, TextInvalid, TextTooLong
from tasks_app.models import Message

if TYPE_CHECKING:
    from oasst.accounts.models import User


def check(text: str, config: TreeConfig) -> None:
    """Raise TextEmpty, TextTooLong or TextInvalid for what cannot be a message."""
    if not text:
        raise TextEmpty
    if len(text) > config.message_size_limit:
        raise TextTooLong(len(text), config.message_size_limit)
    if UNSTORABLE.search(text):
        raise TextInvalid


def check_not_said(
    user: "User",
    text: str,
    *,
    config: TreeConfig,
    now: datetime,
    parent: Message | None = None,
    but: uuid.UUID | None = None,
) -> None:
    """Raise DuplicateText if the person said the same a short while ago, in another message than
    `but`; DuplicateReply if they have replied to `parent` already. One query for both.
    """
    since = now - timedelta(minutes=config.duplicate_message_window_minutes)
    same = Message.objects.same_text_since(user, text, since)
    if but:
        same = same.exclude(pk=but)
    clashes = same.values_list(Value(DuplicateText.code))[:1]
    if parent:
        own = Message.objects.replies_of(user, parent)
        clashes = clashes.union(own.values_list(Value(DuplicateReply.code))[:1])
    found = {code for (code,) in clashes}
    if DuplicateText.code in found:
        raise DuplicateText
    if found:
        raise DuplicateReply
