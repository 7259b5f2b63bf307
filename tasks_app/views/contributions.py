"""What one person did: outcomes and reasons, reports, open tasks, and texts that were kept."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages as toasts
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from tasks_app import assignment, browsing, fate, interactions, own_work, reading
from tasks_app.forms.messages import ContributionsForm
from tasks_app.labels import LABELS
from tasks_app.models import Report
from tasks_app.views import open_tasks
from tasks_app.views.edges import FORM_INVALID, contributor

if TYPE_CHECKING:
    from oasst.accounts.models import User


@require_safe
@contributor
def contributions(request: HttpRequest) -> HttpResponse:
    """One page of one's own contributions, newest first."""
    user, now = request.user, timezone.now()
    form = ContributionsForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    found, more = browsing.contributions(
        user,
        kind=asked.get("kind", ""),
        outcome=asked.get("outcome", ""),
        before=asked.get("before"),
    )
    reviewed = reading.trees_in_open_review(user, now=now)
    context = {
        "form": form,
        "entries": own_work.entries(found, user, reviewed),
        "is_first_page": not asked.get("before"),
        "is_filtered": bool(asked.get("kind") or asked.get("outcome")),
        "more": _url(asked, before=more) if more else "",
        "newest": _url(asked) if asked.get("before") else "",
        "reports": _reports(user, reviewed),
        **_tasks(user, now),
    }
    status = 200 if form.is_valid() else FORM_INVALID
    return render(request, "tasks/contributions.html", context, status=status)


def _reports(user: "User", reviewed: set[uuid.UUID]) -> list[dict[str, Any]]:
    found = browsing.reports(user)
    veiled = reading.veiled((report.message.tree_id for report in found), user)
    return [_reported(report, user, veiled, reviewed) for report in found]


def _reported(
    report: Report, user: "User", veiled: set[uuid.UUID], reviewed: set[uuid.UUID]
) -> dict[str, Any]:
    status, story = fate.of_report(report)
    message = report.message
    is_veiled = message.tree_id in veiled
    in_review = message.tree_id in reviewed and not (message.deleted or message.held)
    return {
        "report": report,
        "category": LABELS[report.category].title,
        "is_readable": in_review or reading.may_read(message, user, veiled=is_veiled),
        "status": status,
        "story": story,
    }


def _tasks(user: "User", now: datetime) -> dict[str, Any]:
    return {
        "open_tasks": open_tasks.entries(user, now=now),
        "kept": [open_tasks.with_kind(task) for task in browsing.kept_drafts(user, now=now)],
    }


@require_http_methods(["GET", "HEAD", "POST"])
@contributor
def discard(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Ask whether a kept text may go, then throw it away."""
    if request.method == "POST":
        interactions.discard_draft(task_id, request.user)
        toasts.info(request, _("Discarded."))
        return redirect("tasks:contributions")
    task = assignment.find(task_id, request.user)
    if not hasattr(task, "draft"):
        raise Http404
    template = "tasks/_discard_form.html" if request.htmx else "tasks/discard.html"
    return render(request, template, open_tasks.with_kind(task))


def _url(asked: dict[str, Any], *, before: int | None = None) -> str:
    query = {name: asked.get(name) for name in ("kind", "outcome")} | {"before": before}
    return "?" + urlencode({name: value for name, value in query.items() if value})
