"""Background work of accounts: sending mails with secrets, and tidying up. Jobs may run twice."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from oasst.accounts import limits, magic_link, people, second_factor
from oasst.accounts.enums import CodePurpose
from oasst.accounts.models import EmailCode
from oasst.accounts.sessions import SessionStore
from oasst.lib import emails
from oasst.lib.queue import enqueue

logger = logging.getLogger(__name__)

LINK_NAMES = {
    CodePurpose.SIGN_IN: "accounts:link",
    CodePurpose.CHANGE_EMAIL: "accounts:email_link",
}


def send_code(code_id: str) -> None:
    """Make the secrets of one asked-for mail and send it; on failure note when to try again."""
    now = timezone.now()
    with transaction.atomic():
        waiting = magic_link.waiting_to_be_sent(now=now).filter(pk=code_id)
        asked = waiting.select_for_update(skip_locked=True).first()
        if asked is None:
            return
        made = magic_link.issue(asked, now=now)
        try:
            emails.deliver(_template(asked), asked.email, _context(asked, made), asked.language)
        except OSError as error:
            _try_later(asked, error)
        else:
            asked.sent_at = timezone.now()
        asked.save(update_fields=["sent_at", "send_attempts", "next_send_at"])


def send_waiting_codes() -> None:
    """Queue again what was lost with Redis or what the mail server refused."""
    now = timezone.now()
    # Younger ones are just being sent.
    due = magic_link.waiting_to_be_sent(now=now - timedelta(seconds=5))
    for code_id in due.values_list("pk", flat=True)[:500]:
        enqueue(magic_link.SEND_JOB, str(code_id), key=f"send-code-{code_id}")


def delete_expired_codes() -> None:
    """Remove old codes, idle limit counters and sessions that have ended by themselves."""
    now = timezone.now()
    SessionStore.clear_expired()
    codes, buckets = magic_link.delete_old(now=now), limits.delete_idle(now=now)
    logger.info("removed %s old codes and %s idle limits", codes, buckets)


def seal_second_factors() -> None:
    """Seal what was stored before there were seals, and under a key that is to go."""
    sealed = second_factor.seal_all()
    if sealed:
        logger.info("sealed %s second factors", sealed)


def link_for(asked: EmailCode, token: str) -> str:
    """The address that stands in the mail."""
    name = LINK_NAMES[CodePurpose(asked.purpose)]
    return settings.SITE_URL + reverse(name, args=[token])


def _template(asked: EmailCode) -> str:
    """The page told the asker nothing about the new address; its owner learns that it is taken."""
    if asked.purpose == CodePurpose.CHANGE_EMAIL and people.find(asked.email):
        return "address_in_use"
    return asked.purpose


def _context(asked: EmailCode, made: magic_link.Secrets) -> dict[str, object]:
    return {
        "link": link_for(asked, made.token),
        "code": made.code,
        "email": asked.email,
        "valid_minutes": asked.valid_minutes,
    }


def _try_later(asked: EmailCode, error: OSError) -> None:
    waits = magic_link.RETRY_AFTER_S
    wait_s = waits[min(asked.send_attempts, len(waits) - 1)]
    asked.send_attempts += 1
    asked.next_send_at = timezone.now() + timedelta(seconds=wait_s)
    logger.warning(
        "mail %s was not sent (attempt %s): %s", asked.pk, asked.send_attempts, type(error).__name__
    )
