"""What the frames of a socket do in the database, each in one go and each for whom it is allowed.

Synchronous: consumers.py runs these in a thread.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat_app import access, asking, conversations, protocol, queueing, replies
from chat_app.enums import FINAL_STATES, MessageState, Role
from chat_app.models import ChatMessage
from oasst.lib.errors import DomainError

# All who wait ask every two seconds: they share one look at a queue that may be long.
LOOK_AGAIN_S = 1.0
_looks: dict[int, tuple[float, queueing.Line]] = {}


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


def place(reply_id: UUID) -> protocol.Queued | protocol.Stalled | None:
    """Where a reply stands in the queue, or that its worker is silent; None if all goes well."""
    reply = ChatMessage.objects.filter(pk=reply_id).exclude(state__in=FINAL_STATES).first()
    if reply is None:
        return None
    if reply.state == MessageState.RUNNING:
        is_unattended = ChatMessage.objects.unattended().filter(pk=reply_id).exists()
        return protocol.Stalled(str(reply_id)) if is_unattended else None
    found = _line(reply).place(reply_id) if reply.model_id else None
    if found is None:
        return None
    return protocol.Queued(str(reply_id), found.position, found.size, found.eta_s, found.has_worker)


def _line(reply: ChatMessage) -> queueing.Line:
    """The queue that a reply stands in, as somebody in this process saw it a moment ago."""
    assert reply.model_id is not None
    seen_at, line = _looks.get(reply.model_id, (0.0, None))
    if line is None or time.monotonic() - seen_at > LOOK_AGAIN_S or reply.pk not in line.places:
        line = queueing.line(reply.model_id, now=timezone.now())
        _looks[reply.model_id] = time.monotonic(), line
    return line
