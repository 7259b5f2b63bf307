"""What the chat holds about a person: handed out (`collect`) and taken away (`erase`)."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from chat_app import streams
from chat_app.enums import Role
from chat_app.models import (
    Chat,
    ChatMessage,
    ChatReport,
    CustomInstructions,
    DraftChoice,
    Preset,
    QueueTurn,
    Share,
    TaskConsent,
    Vote,
)
from oasst.accounts.models import User
from oasst.accounts.privacy import Sections, rows_of

SECTIONS: Sections = {
    "chats": (
        Chat.objects,
        "user",
        "id title model__name parameters preset allow_data_use archived lang from_api "
        "created_at modified_at",
    ),
    "messages": (
        ChatMessage.objects,
        "chat__user",
        "id chat_id parent_id role text state hold hold_reason model_name parameters "
        "system_prompt finish_reason error created_at finished_at",
    ),
    "votes": (Vote.objects, "message__chat__user", "message_id value reasons text created_at"),
    "picked_drafts": (DraftChoice.objects, "parent__chat__user", "parent_id chosen_id created_at"),
    "reports": (ChatReport.objects, "user", "message_id kind text created_at resolved_at"),
    "shared_links": (Share.objects, "chat__user", "chat_id token title thread created_at"),
    "presets": (Preset.objects, "user", "name parameters created_at"),
    "instructions": (CustomInstructions.objects, "user", "about_me how_to_respond enabled"),
    "offered_as_tasks": (TaskConsent.objects, "user", "tree_id licence created_at"),
}


def collect(user: User) -> dict[str, Iterable[dict[str, Any]]]:
    """Section → rows of plain values."""
    return rows_of(user, SECTIONS)


@transaction.atomic
def erase(user: User, *, now: datetime) -> None:
    """Remove every chat with all that hangs on it; may run twice.

    Message trees that were made of threads stay, without a name, and so does the word that
    allowed it.
    """
    said = ChatMessage.objects.filter(chat__user=user, role=Role.ASSISTANT)
    transaction.on_commit(partial(streams.forget, list(said.values_list("pk", flat=True))))
    Chat.objects.filter(user=user).delete()
    for rows in (
        ChatReport.objects,
        Preset.objects,
        CustomInstructions.objects,
        QueueTurn.objects,
    ):
        rows.filter(user=user).delete()
