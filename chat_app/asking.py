"""Says something and asks for the answers, for sockets and programs alike: once for each key."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from chat_app import access, conversations, replies
from chat_app.errors import BadParent, ChatNotFound
from chat_app.models import Chat, ChatMessage
from oasst.lib import ratelimit
from oasst.lib.errors import TooMuch

if TYPE_CHECKING:
    from oasst.accounts.models import User

PROMPTS_PER_MINUTE = 30


class TooManyPrompts(TooMuch):
    code = "too_many_prompts"
    default_message = _("That was a lot in a short time. Try again in a minute.")


def ask(
    chat: Chat,
    user: User,
    text: str,
    *,
    now: datetime,
    parent_id: UUID | None = None,
    key: UUID | None = None,
    count: int = 1,
) -> tuple[ChatMessage, list[ChatMessage]]:
    """Store a prompt and ask for `count` replies. The same key again gives what came of the first.

    Raises Muted, TooManyPrompts, and what stands against the text, its place or the queue; when the
    queue is full, the prompt stays.
    """
    take_prompt(user, now=now)
    parent = _parent(chat, parent_id)
    said = conversations.say(chat, user, text, parent=parent, key=key, now=now)
    with transaction.atomic():
        conversations.lock(chat, user)
        known = list(said.children.order_by("created_at", "id"))
        return said, known or replies.request(said, count=count, now=now)


def take_prompt(user: User, *, now: datetime) -> None:
    """Count one prompt of this person. Raises Muted, TooManyPrompts."""
    access.check_may_write(user, now=now)
    allowance = ratelimit.hit("chat-prompts", str(user.pk), limit=PROMPTS_PER_MINUTE, window_s=60)
    if not allowance.allowed:
        raise TooManyPrompts(allowance.retry_after_s)


def _parent(chat: Chat, message_id: UUID | None) -> ChatMessage | None:
    if message_id is None:
        return None
    try:
        return conversations.message_of(chat, message_id)
    except ChatNotFound:
        raise BadParent from None
