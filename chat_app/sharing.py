"""Links to a copy of a thread: made, shown to everybody who has the link, and taken back."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from chat_app import conversations, reading
from chat_app.enums import Hold
from chat_app.errors import ChatNotFound
from chat_app.models import Chat, Share
from chat_app.reading import Entry
from chat_app.titles import title_for
from oasst.lib import ratelimit
from oasst.lib.errors import DomainError, TooMuch

# More is a machine that fills the database with copies.
MOST_LINKS = 20
LINKS_PER_HOUR = 30


class TooManyLinks(DomainError):
    """A chat has as many links as anybody can keep apart."""

    code, status = "too_many_links", 409
    default_message = _("This chat has many links already. Revoke one of them first.")


class TooManyShared(TooMuch):
    code = "too_many_shared"
    default_message = _("You have made many links in a short time. Try again in an hour.")


@transaction.atomic
def share(chat: Chat, *, now: datetime) -> Share:
    """Copy what is in view behind a link that cannot be guessed; later messages stay private.

    Drafts of which none is picked are in view together. Raises TooManyLinks, TooManyShared.
    """
    conversations.lock(chat, chat.user)
    if chat.shares.count() >= MOST_LINKS:
        raise TooManyLinks
    allowance = ratelimit.hit("chat-links", str(chat.user_id), limit=LINKS_PER_HOUR, window_s=3600)
    if not allowance.allowed:
        raise TooManyShared(allowance.retry_after_s)
    copy = [
        turn
        for entry in reading.thread(chat, now=now, whole=True).entries
        for turn in ([_turn(entry)] if not entry.drafts else _draft_turns(entry.drafts))
        if turn["text"]
    ]
    # A generated title holds words of the first prompt, which may have been corrected since.
    about = title_for(copy[0]["text"]) if copy else ""
    return Share.objects.create(
        token=secrets.token_urlsafe(32),
        chat=chat,
        title=chat.title if chat.title_is_own else about,
        thread=copy,
        created_at=now,
    )


def _turn(entry: Entry) -> dict[str, Any]:
    message = entry.message
    return {
        "role": message.role,
        "text": "" if message.hold == Hold.HELD else message.text,
        "model": message.model_name,
        "created_at": message.created_at.isoformat(),
    }


def _draft_turns(drafts: list[Entry]) -> list[dict[str, Any]]:
    return [_turn(draft) | {"draft": number} for number, draft in enumerate(drafts, start=1)]


def revoke(share: Share) -> None:
    """Make the link lead nowhere."""
    share.delete()


def shared(token: str) -> Share:
    """The copy behind a link. Raises ChatNotFound."""
    found = Share.objects.filter(token=token, chat__user__is_active=True).first()
    if found is None:
        raise ChatNotFound
    return found
