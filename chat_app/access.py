"""Whom a socket speaks for and what they may do: read anew on every write and every minute.

A page looks at its session once and is gone; a socket stays open while people sign out elsewhere,
are banned or muted, or delete the chat.
"""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from chat_app import conversations
from chat_app.models import Chat
from oasst.accounts.people import require_terms
from oasst.lib.errors import DomainError

if TYPE_CHECKING:
    from oasst.accounts.models import User


class SignedOut(DomainError):
    """No session, one that ended, or an account that was blocked."""

    code, status = "signed_out", 401
    default_message = _("You are signed out. Sign in again; what you wrote stays here.")


class Muted(DomainError):
    """A muted account reads on, and says nothing new."""

    code, status = "muted", 403
    default_message = _(
        "A moderator has muted your account, so nothing can be sent at the moment. "
        "Your chats stay readable."
    )


def person(session_key: str) -> User:
    """Whose session it is. Raises SignedOut, TermsNotAccepted."""
    store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    # What Django's middleware does for a request, without one.
    user = get_user(SimpleNamespace(session=store(session_key)))  # type: ignore[arg-type]
    if not user.is_authenticated:
        raise SignedOut
    require_terms(user)
    return user


def check_may_write(user: User, *, now: datetime) -> None:
    """Raises Muted."""
    if not user.may_contribute(now):
        raise Muted


def own_chat(session_key: str, chat_id: UUID) -> Chat:
    """The chat, if it is of the person whose session it is. Raises also ChatNotFound."""
    user = person(session_key)
    chat = conversations.of(user, chat_id)
    chat.user = user
    return chat
