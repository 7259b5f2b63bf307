"""The language that a chat is searched by: told by what its owner says, and for older chats by a
job, which gives their messages the words they are found by.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Left

from chat_app.enums import Role
from chat_app.models import Chat, ChatMessage
from oasst.lib import detection
from oasst.lib.search import sql
from oasst.lib.session_lock import SessionLock

logger = logging.getLogger(__name__)

# At a time: they are locked meanwhile, some milliseconds each.
SLICE = 20
# Of an older chat, the prompts that are looked at until one tells the language.
MOST_PROMPTS = 5


def note_language(chat: Chat, text: str) -> None:
    """Learn from what was just said, unless the chat's language is known. The chat is locked."""
    if chat.lang not in (None, sql.OTHER):
        return
    found = _language((text,))
    if found != chat.lang:
        _settle(chat, found)


def go_on(*, for_s: float) -> None:
    """Look at older chats for some time; at nothing if there are none."""
    with SessionLock("chat_app.search_filling").alone() as is_ours:
        ends_at, done = time.monotonic() + for_s, 0
        while is_ours and time.monotonic() < ends_at and (filled := _fill_slice()):
            done += filled
    if done:
        logger.info("%d more chats are found by the words of their language", done)


@transaction.atomic
def _fill_slice() -> int:
    """Settle the language of some chats that nobody is writing; returns how many."""
    waiting = Chat.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    chats = list(waiting.filter(lang=None).only("pk").order_by("pk")[:SLICE])
    prompts = _prompts(chats)
    for chat in chats:
        _settle(chat, _language(prompts[chat.pk][:MOST_PROMPTS]))
    return len(chats)


def _prompts(chats: Iterable[Chat]) -> dict[UUID, list[str]]:
    """How the prompts of chats begin, the first ones first. One query."""
    rows = ChatMessage.objects.filter(
        chat__in=chats, chat__from_api=False, role=Role.PROMPTER, depth__lt=2 * MOST_PROMPTS
    )
    beginning = Left("text", detection.MAX_CHARACTERS)
    found = defaultdict(list)
    for key, text in rows.order_by("created_at", "id").values_list("chat_id", beginning):
        found[key].append(text)
    return found


def _settle(chat: Chat, lang: str) -> None:
    chat.lang = lang
    chat.save(update_fields=["lang"])
    ChatMessage.objects.filter(chat=chat).update(search_vector=None)  # triggers fill it anew


def _language(texts: Iterable[str]) -> str:
    """The language of the first text that is surely in one."""
    for text in texts:
        found = detection.detect(text)
        if found and found.score >= detection.SURE:
            return found.lang
    return sql.OTHER
