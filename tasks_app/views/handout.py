"""Handing out the next task, and what the page says when there is none."""

import uuid
from typing import Any

from django.contrib import messages as toasts
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from oasst.lib import ratelimit
from oasst.lib.errors import DomainError
from oasst.lib.pages import too_many_requests
from tasks_app import blockers, browsing, interactions, kinds, selection
from tasks_app.enums import TaskType
from tasks_app.errors import NoTaskAvailable, TooManyPendingTasks
from tasks_app.forms.work import LanguageForm
from tasks_app.models import Task
from tasks_app.views.edges import RNG, contributor

# What somebody asked for last, so that "Submit and next" stays with it.
SESSION_KEY = "wanted_task"

# Source: reference 3.9. Per kind only for requests that name the kind.
_PER_PERSON = {"limit": 30, "window_s": 240}
_PER_KIND = {
    TaskType.ASSISTANT_REPLY.value: {"limit": 4, "window_s": 120},
    TaskType.PROMPTER_REPLY.value: {"limit": 8, "window_s": 120},
}


class LanguageNotYours(DomainError):
    """A task was asked for in a language that the person did not choose."""

    code = "language_not_yours"
    default_message = _("This is not one of your languages. You can add it on your account page.")


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
    wait_s = _seconds_to_wait(request, kind)
    if wait_s:
        return too_many_requests(request, retry_after_s=wait_s)
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
    task = Task.objects.filter(pk=task_id, user=user).select_related("draft").first()
    if task is None:
        raise Http404
    wait_s = _seconds_to_wait(request, task.kind)
    if wait_s:
        return too_many_requests(request, retry_after_s=wait_s)
    try:
        fresh = selection.next_task(
            user, task.kind, langs=[task.lang], message_id=task.message_id, now=now, rng=RNG
        )
    except NoTaskAvailable:
        return _nothing(request, kinds.KINDS[task.kind], [task.lang])
    if hasattr(task, "draft") and fresh.pk != task.pk:
        if hasattr(fresh, "draft"):
            toasts.info(
                request,
                _("You had begun this one already. The older text is kept among your drafts."),
            )
        else:
            interactions.save_draft(fresh.pk, user, task.draft.body, now=now)
    return redirect("tasks:work", fresh.pk)


def after(request: HttpRequest, task: Task) -> HttpResponse:
    """To the next task of the sort that was asked for last."""
    wanted = request.session.get(SESSION_KEY, {})
    response = redirect("tasks:next", wanted.get("kind", task.kind))
    if wanted.get("lang"):
        response["Location"] += f"?lang={wanted['lang']}"
    return response


def _query(request: HttpRequest) -> QueryDict:
    return request.POST if "lang" in request.POST else request.GET


def _seconds_to_wait(request: HttpRequest, kind: str) -> int:
    """0, or how long somebody who asks for many tasks has to wait."""
    key = str(request.user.pk)
    allowed = ratelimit.hit("tasks", key, **_PER_PERSON)
    if allowed.allowed and kind in _PER_KIND:
        allowed = ratelimit.hit(f"tasks:{kind}", key, **_PER_KIND[kind])
    return 0 if allowed.allowed else allowed.retry_after_s


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
    tasks = browsing.open_tasks(request.user, now=timezone.now())
    rows = [{"task": task, "kind": kinds.KINDS[task.kind]} for task in tasks]
    context = {"error": error, "open_tasks": rows}
    return render(request, "tasks/too_many.html", context, status=error.status)
