"""Handing out the next task, and what the page says when there is none."""

import uuid
from typing import Any

from django.contrib import messages as toasts
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from oasst.lib.pages import too_many_requests
from tasks_app import assignment, blockers, kinds, pacing, reclaiming, selection
from tasks_app.errors import LanguageNotYours, NoTaskAvailable, TooManyPendingTasks
from tasks_app.forms.work import LanguageForm
from tasks_app.models import Task
from tasks_app.views import open_tasks
from tasks_app.views.edges import RNG, contributor

# What somebody asked for last, so that "Submit and next" stays with it.
SESSION_KEY = "wanted_task"


@require_http_methods(["GET", "POST"])
@contributor
def next_task(request: HttpRequest, kind: str) -> HttpResponse:
    """Hand out a task, or the one of this kind that is open already, and go to its page."""
    wanted = kinds.find(kind)
    if wanted is None:
        raise Http404
    form = LanguageForm(_query(request), langs=request.user.contribution_languages)
    if not form.is_valid():
        raise LanguageNotYours
    allowance = pacing.count_request(request.user, kind)
    if not allowance.allowed:
        return too_many_requests(request, retry_after_s=allowance.retry_after_s)
    langs, now = form.chosen(), timezone.now()
    try:
        task = selection.next_task(request.user, kind, langs=langs, now=now, rng=RNG)
    except NoTaskAvailable:
        return _nothing(request, wanted, langs)
    except TooManyPendingTasks as error:
        return _too_many(request, error)
    request.session[SESSION_KEY] = {"kind": kind, "lang": form.cleaned_data["lang"]}
    return redirect("tasks:work", task.pk)


@require_POST
@contributor
def reclaim(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Take up the message of a task that has expired again, with what was written for it."""
    user, now = request.user, timezone.now()
    task = assignment.find(task_id, user)
    allowance = pacing.count_request(user, task.kind)
    if not allowance.allowed:
        return too_many_requests(request, retry_after_s=allowance.retry_after_s)
    try:
        found = reclaiming.reclaim(task, user, now=now, rng=RNG)
    except NoTaskAvailable:
        return _nothing(request, kinds.KINDS[task.kind], [task.lang])
    except TooManyPendingTasks as error:
        return _too_many(request, error)
    if found.keeps_both:
        text = _("You had begun this one already. The older text is kept among your drafts.")
        toasts.info(request, text)
    return redirect("tasks:work", found.task.pk)


def after(request: HttpRequest, task: Task) -> HttpResponse:
    """To the next task of the sort that was asked for last."""
    wanted = request.session.get(SESSION_KEY, {})
    response = redirect("tasks:next", wanted.get("kind", task.kind))
    if wanted.get("lang"):
        response["Location"] += f"?lang={wanted['lang']}"
    return response


def _query(request: HttpRequest) -> QueryDict:
    return request.POST if "lang" in request.POST else request.GET


def _nothing(request: HttpRequest, wanted: kinds.Kind, langs: list[str]) -> HttpResponse:
    """Not an error: the page says what stands in the way and what would help."""
    user = request.user
    context: dict[str, Any] = {
        "wanted": wanted,
        "blockers": blockers.explain(user, wanted.code, langs, now=timezone.now()),
        "lang": langs[0] if len(langs) == 1 else "",
        "has_languages": bool(user.contribution_languages),
    }
    return render(request, "tasks/nothing.html", context)


def _too_many(request: HttpRequest, error: TooManyPendingTasks) -> HttpResponse:
    rows = open_tasks.entries(request.user, now=timezone.now())
    context = {"error": error, "open_tasks": rows}
    return render(request, "tasks/too_many.html", context, status=error.status)
