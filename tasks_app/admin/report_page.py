"""Everything the desk shows about one report; a fixed number of queries."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from oasst.lib.desk.display import NONE, Fact, link, page_url, row_link, when
from oasst.lib.languages import name as language_name
from tasks_app import moderation, reading
from tasks_app.admin import log, message_page, question_item
from tasks_app.admin.report_item import category, items
from tasks_app.enums import ReportState
from tasks_app.models import Message, MessageTree, Report

MOST_OTHERS = 20


def context(report: Report, veil: reading.Veil, now: datetime) -> dict[str, Any]:
    """What the page of a report shows to whom `veil` is for."""
    rows = Message.objects.defer("search_vector", "detoxify")
    others = Report.objects.filter(message=report.message_id).exclude(pk=report.pk)
    return {
        "title": _("Report: %s") % category(report),
        "report": report,
        "is_open": report.state == ReportState.OPEN,
        "is_taken": moderation.is_claimed_by_other(report, veil.reader, now),
        "thread": [message_page.bubble(node, veil) for node in rows.thread(report.message)],
        "others": items(others.select_related("claimed_by").order_by("-created_at")[:MOST_OTHERS]),
        "facts": facts(report, veil),
        "author_url": message_page.author_url(report.message, veil),
        "questions": question_item.about(report.message, veil),
        "log": log.entries(message_id=report.message_id),
    }


def facts(report: Report, veil: reading.Veil) -> list[Fact]:
    """The report in words, with what is known about both sides."""
    message = report.message
    author = None if veil.task(message) else message.user_id
    return [
        (_("Category"), category(report)),
        (_("Reported"), when(report.created_at)),
        (_("Reported by"), row_link(report.user)),
        (_("Reports by this person"), _record(Q(user=report.user_id), known=report.user_id)),
        (_("Author"), message_page.author(message, veil)),
        (_("Reports against the author"), _record(Q(message__user=author), known=author)),
        (_("Message"), link(page_url(Message, message.pk), message_page.state(message)[1])),
        (_("Tree"), link(page_url(MessageTree, message.tree_id), message.tree.get_state_display())),
        (_("Language"), language_name(message.lang)),
        (_("Taken by"), row_link(report.claimed_by)),
        (_("Decision"), report.get_state_display()),
        (_("Decided by"), row_link(report.resolved_by)),
        (_("Note"), report.note or NONE),
    ]


def _record(whose: Q, *, known: Any) -> str:
    """How many reports, and how many of those led to something."""
    if not known:
        return NONE
    acted = Count("pk", filter=Q(state=ReportState.RESOLVED))
    counts = Report.objects.filter(whose).aggregate(n=Count("pk"), acted=acted)
    return _("%(n)d, acted upon: %(acted)d") % counts
