"""Tells the team's chat of new reports: what is said to be wrong, how urgent, and where to look.

Neither texts nor names leave the site. A report is told at least once, hardly ever twice.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse

from oasst.lib import database, queue, webhook
from oasst.lib.session_lock import SessionLock
from tasks_app.labels import LABELS, REPORT_SEVERITY
from tasks_app.models import Report

logger = logging.getLogger(__name__)

DISCORD, SLACK, GENERIC = "discord", "slack", "generic"
FORMATS = (DISCORD, SLACK, GENERIC)
# What nobody could be told of for so long stays untold; it waits at the desk all the same.
GIVEN_UP_AFTER = timedelta(days=1)
MOST_AT_ONCE = 20


def enqueue() -> None:
    """Have new reports told once this transaction is committed, if a webhook is configured."""
    if settings.REPORT_WEBHOOK_URL:
        queue.enqueue("tasks_app.jobs.announce_reports", key="announce-reports")


def announce(*, now: datetime) -> int:
    """Tell of reports that nobody was told of; how many. Raises NotDelivered: try again later."""
    if not settings.REPORT_WEBHOOK_URL:
        return 0
    with SessionLock("announcing").alone() as is_ours:
        return _tell(now) if is_ours else 0  # another worker is at it


def _tell(now: datetime) -> int:
    waiting = Report.objects.waiting().filter(
        announced_at=None, created_at__gte=now - GIVEN_UP_AFTER
    )
    told = 0
    for report in waiting.select_related("message")[:MOST_AT_ONCE]:
        # Noted afterwards: whoever dies in between leaves it to be told again.
        webhook.deliver(
            settings.REPORT_WEBHOOK_URL, message(report, settings.REPORT_WEBHOOK_FORMAT)
        )
        database.write(report, announced_at=now)
        told += 1
    return told


def message(report: Report, form: str) -> dict[str, Any]:
    """What the receiver gets. Names nobody and quotes nothing."""
    title = str(LABELS[report.category].title)
    severity = REPORT_SEVERITY[report.category]
    path = reverse("admin:tasks_app_report_change", args=[report.pk])
    url = f"{settings.SITE_URL.rstrip('/')}{path}"
    words = f"New report: {title} (severity {severity} of 5, {report.message.lang})"
    if form == DISCORD:
        return {"content": f"{words}\n{url}", "allowed_mentions": {"parse": []}}
    if form == SLACK:
        return {"text": f"{words}\n<{url}|Open at the desk>"}
    return {
        "event": "report",
        "id": str(report.pk),
        "category": report.category,
        "severity": severity,
        "lang": report.message.lang,
        "created_at": report.created_at.isoformat(),
        "url": url,
    }
