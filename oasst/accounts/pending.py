"""What one browser waits for: the mails it asked for, remembered in its session.

Only the browser that asked may type the code; the link works anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from oasst.accounts import limits, magic_link
from oasst.accounts.enums import CodePurpose
from oasst.accounts.models import EmailCode, User
from oasst.lib.errors import DomainError

MOST_MAILS = 5


class TooManyMails(DomainError):
    """Raised with the seconds to wait."""

    code, status = "too_many_mails", 429

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


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
    """Ask for a mail and remember it. Raises TooManyMails."""
    _check_limits(request, email, now=now)
    asked = magic_link.ask(
        email, purpose, now=now, user=user, next_url=next_url, language=get_language() or "en"
    )
    before = read(request, purpose)
    ids = before.ids if before and before.email == email else []
    request.session[_key(purpose)] = {
        "email": email,
        "ids": [str(pk) for pk in [*ids, asked.pk]][-MOST_MAILS:],
        "next": next_url,
    }


def _check_limits(request: HttpRequest, email: str, *, now: datetime) -> None:
    wait_s = limits.take_request(limits.client_ip(request), now=now)
    text = _("Many mails were asked for from your network.")
    if not wait_s:
        wait_s = limits.take_mail(email, now=now)
        text = _("Many mails were sent to this address. The links in them work for 15 minutes.")
    if wait_s:
        minutes = -(-wait_s // 60)
        again = ngettext("Try again in %d minute.", "Try again in %d minutes.", minutes) % minutes
        raise TooManyMails(f"{text} {again}", wait_s)


def _key(purpose: CodePurpose) -> str:
    return f"pending_{purpose.value}"
