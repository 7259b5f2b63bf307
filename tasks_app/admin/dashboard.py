"""The first page of the admin: what waits, for how long, and where trees stand."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, Min, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _l

from oasst.lib.desk.display import list_url, page_url
from tasks_app.admin import log
from tasks_app.admin.report_item import items
from tasks_app.enums import ModerationKind, ReportState, TaskType, TreeState
from tasks_app.labels import REPORT_SEVERITY
from tasks_app.models import Message, MessageTree, ModerationAction, Offer, Question, Report

MOST_WAITING = 8
SEVERE = 5


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's callback for the index page."""
    if not request.user.has_perm("tasks_app.view_report"):
        return context
    now = timezone.now()
    return context | {
        "title": _l("Moderators' desk"),
        "reports": _reports(),
        "questions": Question.objects.waiting().count(),
        "urgent": _urgent(now),
        "states": _states(),
        "waiting": _waiting(),
        "people": _people(now),
        "messages_today": Message.objects.filter(created_at__gte=now - timedelta(days=1)).count(),
        "log": _log(),
        "urls": {
            "reports": list_url(Report),
            "questions": list_url(Question),
            "messages": list_url(Message),
            "trees": list_url(MessageTree),
            "users": list_url(get_user_model()),
            "log": list_url(ModerationAction),
            "queues": reverse("tasks:queues") + "?all=1",
            "agreement": reverse("tasks:agreement"),
            "disputed": reverse("tasks:disputed"),
        },
    }


def open_reports(request: HttpRequest) -> str:
    """The number beside "Reports" in the side bar; nothing if none waits."""
    if not request.user.has_perm("tasks_app.view_report"):
        return ""
    count = Report.objects.filter(state=ReportState.OPEN).count()
    return str(count) if count else ""


def _log() -> list[dict[str, Any]]:
    """The newest entries, without the gold items that a rule makes by the dozen."""
    by_rule = Q(actor=None, action=ModerationKind.MAKE_GOLD)
    rows = ModerationAction.objects.exclude(by_rule).select_related("actor")
    return [log.shown(row) for row in rows[:8]]


def _reports() -> dict[str, Any]:
    severe = [name for name, severity in REPORT_SEVERITY.items() if severity >= SEVERE]
    return Report.objects.filter(state=ReportState.OPEN).aggregate(
        count=Count("pk"),
        severe=Count("pk", filter=Q(category__in=severe)),
        oldest=Min("created_at"),
    )


def _urgent(now: Any) -> list[dict[str, Any]]:
    rows = Report.objects.select_related("message", "claimed_by").defer("message__search_vector")
    return items(rows.most_urgent(now, MOST_WAITING))


def _states() -> list[dict[str, Any]]:
    """Every state with its number of trees and how long the oldest has been in it."""
    rows = MessageTree.objects.order_by().values_list("state")
    found = {
        state: (count, since)
        for state, count, since in rows.annotate(n=Count("pk"), since=Min("state_since"))
    }
    return [
        {
            "label": state.label,
            "count": found.get(state, (0, None))[0],
            "since": found.get(state, (0, None))[1],
            "url": list_url(MessageTree, f"state__exact={state}"),
        }
        for state in TreeState
        if state != TreeState.READY_FOR_SCORING or state in found
    ]


def _waiting() -> list[dict[str, Any]]:
    """The work that has been on offer the longest."""
    rows = Offer.objects.filter(slots__gt=0).order_by("since")[:MOST_WAITING]
    return [
        {
            "kind": TaskType(row.kind).label,
            "lang": row.lang,
            "since": row.since,
            "url": page_url(Message, row.message_id),
        }
        for row in rows
    ]


def _people(now: Any) -> dict[str, int]:
    return get_user_model().objects.aggregate(
        all=Count("pk", filter=Q(deleted_at=None)),
        new=Count("pk", filter=Q(date_joined__gte=now - timedelta(days=7))),
        banned=Count("pk", filter=Q(is_active=False, deleted_at=None)),
        muted=Count("pk", filter=Q(is_active=True, muted_until__gt=now)),
    )
