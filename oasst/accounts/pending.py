"""What one browser waits for: the mails it asked for, remembered in its session.

Only the browser that asked may type the code; the link works anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import HttpRequest

from oasst.accounts import limits, magic_link
from oasst.accounts.enums import CodePurpose
from oasst.accounts.models import EmailCode, User
from oasst.lib import page_language

MOST_MAILS = 5


@dataclass(frozen=True)
class Pending:
    """The address that was typed, the mails asked for (oldest first) and where to go then."""

    email: str
    ids: list[UUID]
    next_url: str

    @property
    def latest(self) -> EmailCode | None:
        return EmailCode.objects.filter(pk=self.ids[-1]).first()


def read(request: HttpRequest, purpose: CodePurpose) -> Pending | None:
    kept = request.session.get(_key(purpose))
    if not kept:
        return None
    return Pending(kept["email"], [UUID(pk) for pk in kept["ids"]], kept["next"])


def forget(request: HttpRequest, purpose: CodePurpose) -> None:
    request.session.pop(_key(purpose), None)


def ask(
    request: HttpRequest,
    email: str,
    purpose: CodePurpose,
    *,
    now: datetime,
    next_url: str = "",
    user: User | None = None,
) -> None:
    """Ask for a mail and remember it. Raises limits.TooMany."""
    limits.take_request(limits.client_ip(request), now=now)
    limits.take_mail(email, now=now)
    asked = magic_link.ask(
        email, purpose, now=now, user=user, next_url=next_url, language=page_language.current()
    )
    before = read(request, purpose)
    ids = before.ids if before and before.email == email else []
    request.session[_key(purpose)] = {
        "email": email,
        "ids": [str(pk) for pk in [*ids, asked.pk]][-MOST_MAILS:],
        "next": next_url,
    }


def _key(purpose: CodePurpose) -> str:
    return f"pending_{purpose.value}"
