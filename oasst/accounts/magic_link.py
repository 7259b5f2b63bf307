"""Mails that prove an address: asked for, issued (secrets made), redeemed once by link or code.

What follows from a proven address (signing in, changing it) is in `people.py`. Sending is in
`jobs.py`: secrets come into being in the job that sends them, so no queue ever holds one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext_lazy as _

from oasst.accounts.enums import CodePurpose
from oasst.accounts.models import EmailCode, User
from oasst.lib.errors import DomainError
from oasst.lib.queue import enqueue

VALID_MINUTES = 15
RESEND_AFTER_S = 30
LATE_AFTER_S = 15
MOST_WRONG_CODES = 5
GIVE_UP_SENDING_AFTER = timedelta(hours=1)
KEEP_FOR = timedelta(days=1)
# Seconds to wait after the 1st, 2nd, … failure to hand a mail to the server.
RETRY_AFTER_S = (15, 30, 60, 120, 300, 600)
SEND_JOB = "oasst.accounts.jobs.send_code"


class LinkUnknown(DomainError):
    code, status = "link_unknown", 404
    default_message = _(
        "We do not know this link. Perhaps a part of it was lost when it was copied."
    )


class LinkUsed(DomainError):
    code, status = "link_used", 410
    default_message = _("This link was used before. Each link works once.")


class LinkExpired(DomainError):
    code, status = "link_expired", 410
    default_message = _("This link is too old. Ask for a new mail.")


class CodeWrong(DomainError):
    code = "code_wrong"
    default_message = _("This is not the code from the mail. Please look again.")


class CodeLocked(DomainError):
    code, status = "code_locked", 429
    default_message = _(
        "There were too many wrong codes. Use the link in the mail or ask for a new mail."
    )


class CodeExpired(DomainError):
    code, status = "code_expired", 410
    default_message = _("This code is too old or was used before. Ask for a new mail.")


@dataclass(frozen=True)
class Secrets:
    """What one mail carries: `token` stands in the link, `code` has six digits."""

    token: str
    code: str


def ask(email: str, purpose: CodePurpose, **fields: Any) -> EmailCode:
    """Write down that `email` wants a mail and queue it. Takes what `prepare` takes."""
    asked = prepare(email, purpose, **fields)
    enqueue(SEND_JOB, str(asked.pk))
    return asked


def prepare(
    email: str,
    purpose: CodePurpose,
    *,
    now: datetime,
    user: User | None = None,
    next_url: str = "",
    language: str = "en",
    valid_minutes: int = VALID_MINUTES,
) -> EmailCode:
    """Make the row of a mail, the same for known and unknown addresses; nothing is sent yet."""
    return EmailCode.objects.create(
        email=email,
        purpose=purpose,
        user=user,
        next_url=next_url,
        language=language,
        valid_minutes=valid_minutes,
        created_at=now,
        next_send_at=now,
    )


def issue(asked: EmailCode, *, now: datetime) -> Secrets:
    """Make the secrets of `asked`, replacing earlier ones, and start its minutes of validity.

    Caller holds the row's lock or is its only owner.
    """
    made = Secrets(token=secrets.token_urlsafe(32), code=f"{secrets.randbelow(10**6):06d}")
    asked.token_hash = _hash_token(made.token)
    asked.code_hash = _hash_code(asked.pk, made.code)
    asked.expires_at = now + timedelta(minutes=asked.valid_minutes)
    asked.save(update_fields=["token_hash", "code_hash", "expires_at"])
    return made


def look_up(token: str, purpose: CodePurpose, *, now: datetime) -> EmailCode:
    """Find the live row of a link without using it. Raises LinkUnknown, LinkUsed, LinkExpired."""
    return _check(_by_token(token, purpose).first(), now=now)


@transaction.atomic
def redeem_token(token: str, purpose: CodePurpose, *, now: datetime) -> EmailCode:
    """Use up a link; of two attempts at the same moment one wins. Raises as `look_up`."""
    asked = look_up(token, purpose, now=now)
    family = _lock_family(asked)
    if asked.pk not in {row.pk for row in family}:
        raise LinkUsed
    _use_up(family, now=now)
    return asked


def redeem_code(
    ids: Sequence[UUID], code: str, purpose: CodePurpose, *, now: datetime
) -> EmailCode:
    """Use up the code of one of the mails this browser asked for.

    Raises CodeExpired, CodeLocked, CodeWrong. A wrong code counts for every mail still open, and
    the count must outlive the error, hence no transaction around the raise.
    """
    with transaction.atomic():
        asked = EmailCode.objects.filter(pk__in=ids, purpose=purpose).first()
        family = _lock_family(asked) if asked else []
        alive = [row for row in family if row.pk in ids and row.expires_at and row.expires_at > now]
        open_rows = [row for row in alive if row.wrong_codes < MOST_WRONG_CODES]
        for row in open_rows:
            if constant_time_compare(row.code_hash, _hash_code(row.pk, code)):
                _use_up(family, now=now)
                return row
        _count_wrong(open_rows)
    if not alive:
        raise CodeExpired
    if not open_rows or all(row.wrong_codes + 1 >= MOST_WRONG_CODES for row in open_rows):
        raise CodeLocked
    raise CodeWrong


def seconds_until_resend(asked: EmailCode, *, now: datetime) -> int:
    """How long to wait before another mail may be asked for; 0 if it may."""
    passed = (now - asked.created_at).total_seconds()
    return max(0, round(RESEND_AFTER_S - passed))


def sending_state(asked: EmailCode, *, now: datetime) -> str:
    """How far the mail is: `sent`, `failing` (the mail server refuses), `late` or `waiting`."""
    if asked.sent_at is not None:
        return "sent"
    if asked.send_attempts:
        return "failing"
    is_late = (now - asked.created_at).total_seconds() > LATE_AFTER_S
    return "late" if is_late else "waiting"


@transaction.atomic
def void(emails: Iterable[str], *, now: datetime) -> None:
    """Make every open mail to these addresses useless."""
    _use_up(_lock(EmailCode.objects.filter(email__in=emails)), now=now)


def waiting_to_be_sent(*, now: datetime) -> QuerySet[EmailCode]:
    """Mails whose (next) attempt is due; after an hour nobody waits for them any more."""
    return EmailCode.objects.filter(
        sent_at=None,
        used_at=None,
        next_send_at__lte=now,
        created_at__gt=now - GIVE_UP_SENDING_AFTER,
    )


def delete_old(*, now: datetime) -> int:
    """Remove rows a day after they were asked for. Until then they explain why a link fails."""
    return EmailCode.objects.filter(created_at__lt=now - KEEP_FOR).delete()[0]


def _by_token(token: str, purpose: CodePurpose) -> QuerySet[EmailCode]:
    return EmailCode.objects.filter(token_hash=_hash_token(token), purpose=purpose)


def _check(asked: EmailCode | None, *, now: datetime) -> EmailCode:
    if asked is None:
        raise LinkUnknown
    if asked.used_at is not None:
        raise LinkUsed
    if asked.expires_at is None or asked.expires_at <= now:
        raise LinkExpired
    return asked


def _lock_family(asked: EmailCode) -> list[EmailCode]:
    """Lock every open mail of the same purpose to the same person: they are used up together."""
    mine = Q(user=asked.user_id) if asked.user_id else Q(email=asked.email)
    return _lock(EmailCode.objects.filter(mine, purpose=asked.purpose))


def _lock(rows: QuerySet[EmailCode]) -> list[EmailCode]:
    # Always in the same order, so that two who lock the same rows do not wait for each other.
    return list(rows.filter(used_at=None).select_for_update().order_by("pk"))


def _use_up(rows: Sequence[EmailCode], *, now: datetime) -> None:
    EmailCode.objects.filter(pk__in=[row.pk for row in rows]).update(used_at=now)


def _count_wrong(rows: Sequence[EmailCode]) -> None:
    ids = [row.pk for row in rows]
    EmailCode.objects.filter(pk__in=ids).update(wrong_codes=F("wrong_codes") + 1)


def _hash_token(token: str) -> str:
    # 256 random bits: a plain hash cannot be searched backwards.
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _hash_code(code_id: UUID, code: str) -> str:
    # Six digits can: the site's key and the row's id go in.
    value = f"{code_id}:{code}"
    return salted_hmac("oasst.accounts.magic_link", value, algorithm="sha256").hexdigest()
