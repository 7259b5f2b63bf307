"""The weekly mail to those who wish for it: what they were told on the page since the last one."""

import logging
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils import translation

from oasst.lib import emails, page_language
from tasks_app.notice_records import Notification, NotificationSettings
from tasks_app.notices import notice

logger = logging.getLogger(__name__)

PERIOD = timedelta(days=7)
MOST_LINES = 20
_SIGNER = signing.Signer(salt="weekly-digest")


def send_due(*, now: datetime, limit: int = 500) -> int:
    """Send the mails that are due; returns how many. A week without news has none."""
    wishes = NotificationSettings.objects.filter(weekly_digest=True, digested_at__lte=now - PERIOD)
    present = wishes.filter(user__is_active=True, user__deleted_at=None)
    found = present.select_related("user").order_by("digested_at", "pk")[:limit]
    return sum(_send(wish, now) for wish in found)


def _send(wish: NotificationSettings, now: datetime) -> bool:
    """Send one mail. Claimed first, so whatever runs twice or is killed sends none twice."""
    since = wish.digested_at
    mine = NotificationSettings.objects.filter(pk=wish.pk, weekly_digest=True, digested_at=since)
    if not mine.update(digested_at=now):
        return False
    rows = Notification.objects.filter(user=wish.user, created_at__gt=since, created_at__lte=now)
    told = list(
        rows.select_related("message__tree", "report__message").order_by("-pk")[:MOST_LINES]
    )
    if not told:
        return False
    try:
        _deliver(wish.user, told)
    except OSError as error:
        logger.warning("digest for %s was not sent: %s", wish.pk, type(error).__name__)
        again = NotificationSettings.objects.filter(pk=wish.pk, digested_at=now)
        again.update(digested_at=since)
        return False
    return True


def _deliver(user: Any, told: list[Notification]) -> None:
    with translation.override(page_language.offered(user.ui_language)):
        lines = [{"text": each.text, "note": each.note} for each in map(notice, told)]
    stop = settings.SITE_URL + reverse("tasks:unsubscribe", args=[token_for(user.pk)])
    context = {
        "name": user.public_name,
        "lines": lines,
        "page": settings.SITE_URL + reverse("tasks:notifications"),
        "stop": stop,
    }
    message = emails.render("weekly_digest", user.email, context, language=user.ui_language)
    # One click in the mail program, without a page (RFC 2369, RFC 8058).
    message.extra_headers["List-Unsubscribe"] = f"<{stop}>"
    message.extra_headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.send()
    logger.info("digest for %s was sent", user.pk)


def token_for(user_id: uuid.UUID) -> str:
    """What proves that a link to unsubscribe was sent to this person. It does not expire."""
    return _SIGNER.sign(str(user_id))


def owner_of(token: str) -> uuid.UUID | None:
    """Whose mails a link ends; None for one that we have not made."""
    try:
        return uuid.UUID(_SIGNER.unsign(token))
    except (signing.BadSignature, ValueError):
        return None


def unsubscribe(user_id: uuid.UUID) -> None:
    """Send no more of these mails. Twice is fine."""
    NotificationSettings.objects.filter(user=user_id).update(weekly_digest=False)
