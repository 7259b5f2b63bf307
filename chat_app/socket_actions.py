"""What the frames of a socket do in the database, each in one go and each for whom it is allowed.

Synchronous: consumers.py runs these in a thread.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat_app import access, asking, conversations, protocol, queueing, replies
from chat_app.enums import FINAL_STATES, MessageState, Role
from chat_app.models import ChatMessage
from oasst.lib.errors import DomainError


class TooManyFollowed(DomainError):
    code, status = "too_many_followed", 429
    default_message = _("This page follows too many replies at once. Reload it.")


def prompt(session_key: str, chat_id: UUID, frame: protocol.Prompt) -> protocol.Created:
    """Store a prompt and ask for a reply. The same key again gives what came of it the first time.

    Raises what stands against access, the text or the queue.
    """
    chat = access.own_chat(session_key, chat_id)
    said, answers = asking.ask(
        chat, chat.user, frame.text, parent_id=frame.parent, key=frame.key, now=timezone.now()
    )
    return protocol.Created(str(said.pk), [str(reply.pk) for reply in answers], str(frame.key))


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
