"""What the frames of a socket do in the database, each in one go and each for whom it is allowed.

Synchronous: consumers.py runs these in a thread.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat_app import access, conversations, protocol, queueing, replies
from chat_app.enums import FINAL_STATES, MessageState, Role
from chat_app.errors import BadParent, ChatNotFound
from chat_app.models import Chat, ChatMessage
from oasst.lib import ratelimit
from oasst.lib.errors import DomainError

PROMPTS_PER_MINUTE = 30


class TooManyPrompts(DomainError):
    """`retry_after_s` says when the next one is welcome."""

    code, status = "too_many_prompts", 429
    default_message = _("That was a lot in a short time. Try again in a minute.")

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class TooManyFollowed(DomainError):
    code, status = "too_many_followed", 429
    default_message = _("This page follows too many replies at once. Reload it.")


def prompt(session_key: str, chat_id: UUID, frame: protocol.Prompt) -> protocol.Created:
    """Store a prompt and ask for a reply. The same key again gives what came of it the first time.

    Raises what stands against access, the text or the queue.
    """
    now = timezone.now()
    chat = access.own_chat(session_key, chat_id)
    access.check_may_write(chat.user, now=now)
    allowance = ratelimit.hit(
        "chat-prompts", str(chat.user_id), limit=PROMPTS_PER_MINUTE, window_s=60
    )
    if not allowance.allowed:
        raise TooManyPrompts(allowance.retry_after_s)
    said = conversations.say(
        chat, chat.user, frame.text, parent=_parent(chat, frame.parent), key=frame.key, now=now
    )
    return protocol.Created(str(said.pk), _answers(said), str(frame.key))


def stop(session_key: str, chat_id: UUID, reply_id: UUID) -> None:
    """End a reply of the chat."""
    chat = access.own_chat(session_key, chat_id)
    reply = conversations.message_of(chat, reply_id)
    replies.stop(reply.pk, now=timezone.now())


def running(chat_id: UUID) -> list[str]:
    """The replies of a chat that are not final, oldest first."""
    rows = ChatMessage.objects.filter(chat_id=chat_id, role=Role.ASSISTANT)
    rows = rows.exclude(state__in=FINAL_STATES).order_by("created_at", "id")
    return [str(pk) for pk in rows.values_list("pk", flat=True)]


def replies_of(chat_id: UUID, wanted: Collection[UUID]) -> set[UUID]:
    """Those of `wanted` that are replies of the chat."""
    rows = ChatMessage.objects.filter(chat_id=chat_id, role=Role.ASSISTANT, pk__in=wanted)
    return set(rows.values_list("pk", flat=True))


def place(reply_id: UUID) -> protocol.Queued | None:
    """Where a reply stands in the queue; None if it waits no more."""
    reply = ChatMessage.objects.filter(pk=reply_id, state=MessageState.QUEUED).first()
    found = queueing.queue_place(reply, now=timezone.now()) if reply else None
    if found is None:
        return None
    return protocol.Queued(str(reply_id), found.position, found.size, found.eta_s, found.has_worker)


def _parent(chat: Chat, message_id: UUID | None) -> ChatMessage | None:
    if message_id is None:
        return None
    try:
        return conversations.message_of(chat, message_id)
    except ChatNotFound:
        raise BadParent from None


def _answers(said: ChatMessage) -> list[str]:
    """The replies to a prompt, asked for now if they were not before."""
    with transaction.atomic():
        conversations.lock(said.chat, said.chat.user)
        known = list(said.children.order_by("created_at", "id"))
        answers = known or replies.request(said, now=timezone.now())
    return [str(reply.pk) for reply in answers]
