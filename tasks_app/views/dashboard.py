"""The first page after signing in: what to do next, what waits, and what became of one's work."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tasks_app import (
    blockers,
    browsing,
    fate,
    first_steps,
    kinds,
    rewording,
    selection,
    timeline,
)
from tasks_app.config import TreeConfig
from tasks_app.enums import RANDOM, ContributionKind, TaskType
from tasks_app.forms.work import LanguageForm
from tasks_app.models import Message
from tasks_app.views import open_tasks
from tasks_app.views.edges import contributor

if TYPE_CHECKING:
    from oasst.accounts.models import User

RECENT = 5
WRITTEN = (ContributionKind.PROMPT, ContributionKind.REPLY)


@require_safe
@contributor
def dashboard(request: HttpRequest) -> HttpResponse:
    """What to do next and how things stand."""
    user, now = request.user, timezone.now()
    langs = user.contribution_languages
    available = selection.available_tasks(user, langs, now=now)
    steps = _first_steps(user)
    is_settled = all(steps.values())
    context = {
        "open_tasks": open_tasks.entries(user, now=now),
        "best": kinds.best_next(available, is_new=not steps["has_reviewed"]),
        "available": sum(available.values()),
        "blockers": [] if available else blockers.explain(user, RANDOM, langs, now=now),
        "waiting": browsing.waiting(user, langs, now=now),
        "recent": _recent(user),
        "steps": steps,
        "is_settled": is_settled,
        "has_practised": not is_settled and first_steps.has_practised(user),
    }
    return render(request, "tasks/dashboard.html", context)


@require_safe
@contributor
def task_list(request: HttpRequest) -> HttpResponse:
    """All kinds of tasks, with how many of each there are for this person."""
    user, now = request.user, timezone.now()
    form = LanguageForm(request.GET, langs=user.contribution_languages)
    langs = form.chosen()
    available = selection.available_tasks(user, langs, now=now)
    context = {
        "sections": _sections(available),
        "any": kinds.ANY,
        "total": sum(available.values()),
        "lang": langs[0] if langs != form.langs else "",
        "langs": form.langs,
        "open_tasks": open_tasks.entries(user, now=now),
    }
    return render(request, "tasks/list.html", context)


def _sections(available: dict[TaskType, int]) -> list[dict[str, Any]]:
    offered = list(kinds.on_offer(TreeConfig.current()))
    return [
        {
            "section": section,
            "kinds": [
                {"kind": kind, "count": available.get(TaskType(kind.code), 0)}
                for kind in offered
                if kind.section == section
            ],
        }
        for section in kinds.Section
    ]


def _recent(user: "User") -> list[dict[str, Any]]:
    rows = Message.objects.written_by(user).newest_first().select_related("tree")
    messages = list(rows[:RECENT])
    config = TreeConfig.current()
    told = timeline.of(messages, config, is_author=True)
    return [
        {
            "message": message,
            "status": fate.status(message, config),
            "story": fate.story(message, config),
            "may_reword": rewording.may_be_open(message, user),
            "reasons": told[message.pk].reasons,
            "steps": told[message.pk].steps,
            "events": told[message.pk].events,
        }
        for message in messages
    ]


def _first_steps(user: "User") -> dict[str, bool]:
    done = browsing.kinds_done(user, [ContributionKind.LABELS, *WRITTEN])
    return {
        "has_languages": bool(user.contribution_languages),
        "has_reviewed": ContributionKind.LABELS in done,
        "has_written": bool(done & set(WRITTEN)),
    }
