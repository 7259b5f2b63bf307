"""Calls of the OpenAI-compatible API: each a chat that nobody sees, in the same queue as all.

The rows go an hour later (jobs.py) and are never data.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat_app import access, catalogue, replies, safety
from chat_app.enums import FINAL_STATES, Hold, MessageState, Role
from chat_app.errors import TextHeld, TextTooLong
from chat_app.models import Chat, ChatMessage
from chat_app.openai_schemas import CompletionIn, Message
from oasst.lib import ratelimit
from oasst.lib.errors import TooMuch
from oasst.lib.search import sql

if TYPE_CHECKING:
    from oasst.accounts.models import User

CALLS_PER_MINUTE = 60
# Characters of a whole conversation; far more than any context holds.
MAX_CALL_LENGTH = 500_000
# The check takes time that grows with the text; what was said last weighs most.
MAX_CHECKED_LENGTH = 20_000


class TooManyCalls(TooMuch):
    code = "rate_limit_exceeded"
    default_message = _("Too many completions in a minute. Wait and try again.")


def begin(user: User, wanted: CompletionIn, *, now: datetime) -> list[ChatMessage]:
    """Store a call and ask for its `n` replies.

    Raises Muted, TooManyCalls, ModelNotOnOffer, TextHeld, TextTooLong, TooManyWaiting, QueueFull;
    then nothing is stored.
    """
    access.check_may_write(user, now=now)
    _take_call(user)
    model = catalogue.named(wanted.model)
    _check_texts(wanted)
    with transaction.atomic():
        chat = Chat.objects.create(
            user=user,
            from_api=True,
            allow_data_use=False,
            lang=sql.OTHER,
            model=model,
            created_at=now,
            modified_at=now,
        )
        prompt = _store(chat, wanted.prompts, now)
        return replies.request(
            prompt,
            count=wanted.n,
            parameters=wanted.parameters(most_tokens=model.max_new_tokens),
            system_prompt=wanted.system_text,
            prefix=wanted.prefix,
            now=now,
        )


def ended(reply_ids: Iterable[UUID]) -> list[ChatMessage]:
    """The replies as they ended, in the order of their drafts."""
    return list(ChatMessage.objects.filter(pk__in=list(reply_ids)).order_by("created_at", "id"))


def abort(reply_ids: Iterable[UUID]) -> None:
    """Stop what still runs: whoever asked is gone."""
    running = ChatMessage.objects.filter(pk__in=list(reply_ids)).exclude(state__in=FINAL_STATES)
    for reply_id in running.values_list("pk", flat=True):
        replies.stop(reply_id, now=timezone.now())


def _take_call(user: User) -> None:
    allowance = ratelimit.hit("completions", str(user.pk), limit=CALLS_PER_MINUTE, window_s=60)
    if not allowance.allowed:
        raise TooManyCalls(allowance.retry_after_s)


def _check_texts(wanted: CompletionIn) -> None:
    if sum(len(message.text) for message in wanted.messages) > MAX_CALL_LENGTH:
        raise TextTooLong
    told = "\n".join(message.text for message in wanted.messages if message.role != "assistant")
    finding = safety.check(told[-MAX_CHECKED_LENGTH:])
    if finding.hold == Hold.HELD:
        raise TextHeld(safety.kind_words(finding))


def _store(chat: Chat, turns: list[Message], now: datetime) -> ChatMessage:
    """Store the conversation so far as one thread. Returns its last prompt."""
    rows: list[ChatMessage] = []
    if turns[0].role == "assistant":  # a thread begins with a prompt; an empty one leaves no turn
        turns = [Message(role="user", content=""), *turns]
    for turn in turns:
        is_reply = turn.role == "assistant"
        rows.append(
            ChatMessage(
                chat=chat,
                parent=rows[-1] if rows else None,
                role=Role.ASSISTANT if is_reply else Role.PROMPTER,
                text=turn.text,
                depth=len(rows),
                state=MessageState.DONE,
                created_at=now,
                finished_at=now if is_reply else None,
            )
        )
    ChatMessage.objects.bulk_create(rows)
    return rows[-1]
