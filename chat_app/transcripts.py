"""One chat written out for its owner: as JSON with every branch, as Markdown the thread in view."""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext as _

from chat_app import conversations
from chat_app.enums import Hold, Role
from chat_app.models import Chat, ChatMessage


def to_json(chat: Chat) -> str:
    """Every message of the chat with its parent, oldest first."""
    messages = chat.messages.select_related("vote").order_by("created_at", "id")
    body = {
        "id": str(chat.pk),
        "title": chat.title,
        "created_at": chat.created_at.isoformat(),
        "allow_data_use": chat.allow_data_use,
        "tail": str(chat.tail_id) if chat.tail_id else None,
        "messages": [_message(message) for message in messages],
    }
    return json.dumps(body, ensure_ascii=False, indent=2) + "\n"


def _message(message: ChatMessage) -> dict[str, Any]:
    vote = getattr(message, "vote", None)
    written: dict[str, Any] = {
        "id": str(message.pk),
        "parent": str(message.parent_id) if message.parent_id else None,
        "role": message.role,
        "created_at": message.created_at.isoformat(),
        "state": message.state,
        "text": shown_text(message),
    }
    if message.role == Role.ASSISTANT:
        written |= {"model": message.model_name, "parameters": message.parameters}
    if vote is not None:
        written["vote"] = {"value": vote.value, "reasons": vote.reasons, "text": vote.text}
    return written


def to_markdown(chat: Chat) -> str:
    """The thread in view, as somebody would write it down."""
    parts = [f"# {chat.title or _('Chat')}"]
    for place in conversations.view(chat):
        message = place.message
        name = _("You") if message.role == Role.PROMPTER else message.model_name or _("Assistant")
        parts += [f"## {name}", shown_text(message)]
    return "\n\n".join(parts) + "\n"


def shown_text(message: ChatMessage) -> str:
    """What its owner may read of a message."""
    return "" if message.hold == Hold.HELD else message.text
