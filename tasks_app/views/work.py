"""The page of one task: show it, take the answer, keep drafts, hold the place, skip."""

import uuid
from datetime import datetime
from typing import Any

from django.contrib import messages as toasts
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from oasst.accounts.redirects import wanted_path
from oasst.lib.errors import DomainError
from tasks_app import (
    assignment,
    first_steps,
    interactions,
    kinds,
    reading,
    receipts,
    similar,
    topics,
    undo,
    writing,
)
from tasks_app.assignment import Material
from tasks_app.config import TreeConfig
from tasks_app.enums import TaskType
from tasks_app.errors import (
    DuplicateText,
    InvalidRanking,
    SimilarText,
    TaskExpired,
    TextEmpty,
    TextInvalid,
    TextTooLong,
    TooLateToUndo,
)
from tasks_app.forms import work as forms
from tasks_app.labels import InvalidLabels
from tasks_app.models import GoldAnswer, Message, Task, TextLabels
from tasks_app.receipts import Answer
from tasks_app.views import handout, previews
from tasks_app.views.edges import FORM_INVALID, contributor, wants_json

# Errors that the person can put right on the same page.
_TO_CORRECT = (TextEmpty, TextTooLong, TextInvalid, DuplicateText, InvalidLabels, InvalidRanking)


@require_http_methods(["GET", "HEAD", "POST"])
@contributor
def work(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Show a task, or take its answer."""
    now = timezone.now()
    task = assignment.find(task_id, request.user)
    shown = assignment.material(task)
    if request.method == "POST":
        return _submit(request, task, shown, now)
    ended = assignment.why_ended(task, shown, now=now)
    if task.done_at or ended:
        reading.require_unveiled(task, request.user)
        return _ended(request, task, shown, error=ended, status=200)
    draft = task.draft.body if hasattr(task, "draft") else None
    return _show(request, task, shown, forms.for_task(task, shown.replies, initial=draft))


def _submit(request: HttpRequest, task: Task, shown: Material, now: datetime) -> HttpResponse:
    form = forms.for_task(task, shown.replies, data=request.POST)
    if not form.is_valid():
        return _show(request, task, shown, form, status=FORM_INVALID)
    if task.type.is_writing and (known := _alike(request, task, form)):
        form.add_error(None, SimilarText.default_message)
        return _show(request, task, shown, form, status=SimilarText.status, preview=known)
    try:
        stored = _store(task, form, request.user, now)
    except _TO_CORRECT as error:
        form.add_error(None, error.message)
        return _show(request, task, shown, form, status=error.status)
    except DomainError as error:
        draft = form.draft()
        # What was written is kept by the submit itself.
        if isinstance(error, TaskExpired) and not task.type.is_writing:
            interactions.keep_refused(task.pk, request.user, draft, because=error.code, now=now)
        entered = draft.get("text", "")
        return _ended(request, task, shown, error=error, status=error.status, entered=entered)
    if isinstance(stored, GoldAnswer):
        return redirect("tasks:work", task.pk)  # which tells now what was known
    receipt = receipts.of(task, undo_url=_undo_url(stored), now=now)
    toasts.success(request, _thanks(task), extra_tags=receipt.tags)
    if isinstance(stored, Message) and stored.held and stored.findings:
        toasts.info(request, _("A moderator looks at your text first. Nothing of it is lost."))
    if assignment.has_synthetic(shown.replies):
        return redirect("tasks:work", task.pk)  # which tells now whose was which
    return handout.after(request, task)


def _alike(request: HttpRequest, task: Task, form: forms.WritingForm) -> dict[str, Any] | None:
    """What the author has not been told to be very similar to what they send."""
    told = forms.KnownForm(request.POST)
    if not task.is_open or (told.is_valid() and told.cleaned_data["similar_known"]):
        return None
    found = previews.of(request, form.cleaned_data["text"], task.lang)
    return found if found["similar"] else None


def _store(task: Task, form: Any, user: Any, now: datetime) -> Answer:
    if task.type.is_writing:
        return interactions.submit_reply(
            task.pk,
            user,
            form.cleaned_data["text"],
            now=now,
            provenance=form.provenance(),
            counted=form.counted(),
            chosen_topics=form.topics() if task.kind == TaskType.INITIAL_PROMPT else (),
            entered=form.draft(),
        )
    if task.type.is_labeling:
        return interactions.submit_labels(task.pk, user, form.values(), now=now)
    return interactions.submit_ranking(
        task.pk,
        user,
        form.groups(),
        now=now,
        not_rankable=form.not_rankable(),
        reason=form.full_reason(),
    )


def _undo_url(stored: Answer) -> str:
    """Where to take back what was just stored; nowhere if it cannot be."""
    if isinstance(stored, TextLabels) and undo.is_offered(stored):
        return reverse("tasks:undo", args=[stored.task_id])
    return ""


def _thanks(task: Task) -> str:
    if task.type.is_writing:
        return _("Thank you. Others review your message now; see “My contributions” for more.")
    if task.type.is_labeling:
        return _("Thank you, your review counts.")
    return _("Thank you, your order counts.")


def _show(
    request: HttpRequest,
    task: Task,
    shown: Material,
    form: Any,
    *,
    status: int = 200,
    **extra: Any,
) -> HttpResponse:
    """The task's page with the form as it stands. A task that is over shows what became of it."""
    now = timezone.now()
    ended = assignment.why_ended(task, shown, now=now)
    if task.done_at or ended:
        return _ended(request, task, shown, error=ended, status=409)
    context = {
        **_about(task, shown),
        "form": form,
        "rank_cards": _rank_cards(form, shown, task) if task.type.is_ranking else [],
        "skip_form": forms.SkipForm(),
        "hold": assignment.hold(task, now=now),
        "draft": getattr(task, "draft", None),
        "limit": TreeConfig.current().message_size_limit,
        **_suggested(task, form["text"].value() if task.type.is_writing else ""),
        **_hints(request, task, now),
        "wants_hints": first_steps.wants_hints(request.user, task.type),
        **extra,
    }
    return render(request, _template(task), context, status=status)


def _suggested(task: Task, text: str | None) -> dict[str, Any]:
    """The topics that the words of a new prompt tell of."""
    if task.kind != TaskType.INITIAL_PROMPT:
        return {}
    found = topics.suggest(text or "", task.lang)
    return {"asks_topics": True, "suggested": [topic.label for topic in found]}


def _hints(request: HttpRequest, task: Task, now: datetime) -> dict[str, Any]:
    """What the message to be reviewed is very similar to, and how it was entered."""
    if not task.type.is_labeling or task.message is None:
        return {}
    return {
        "similar": similar.hint(task.message, request.user, now=now),
        "entered": writing.hint(task.message),
    }


def _template(task: Task) -> str:
    if task.type.is_writing:
        return "tasks/write.html"
    return "tasks/label.html" if task.type.is_labeling else "tasks/rank.html"


def _about(task: Task, shown: Material) -> dict[str, Any]:
    kind = kinds.KINDS[task.kind]
    return {
        "task": task,
        "kind": kind,
        "guide": f"pages/guidelines/{kind.guide}.html",
        "thread": shown.thread,
    }


def _rank_cards(form: forms.RankingForm, shown: Material, task: Task) -> list[dict[str, Any]]:
    """The replies as cards, by the names they have on this page."""
    word = word_for(task)
    return [
        {"reply": reply, "name": f"{word} {reply.letter}", "field": form.place(reply.message.pk)}
        for reply in assignment.lettered(shown.replies)
    ]


def word_for(task: Task) -> str:
    """What is ranked, as a word to stand before a letter."""
    return _("Prompt") if task.message is None else _("Reply")


def _ended(
    request: HttpRequest,
    task: Task,
    shown: Material,
    *,
    error: DomainError | None,
    status: int,
    entered: str = "",
) -> HttpResponse:
    """The page of a task that is over: what was stored, and every word that was not."""
    draft = task.draft.body.get("text", "") if hasattr(task, "draft") else ""
    context = {
        **_about(task, shown),
        "error": error,
        "entered": entered or draft,
        "stored": assignment.stored(task, shown) if task.done_at else None,
        "may_reclaim": error is not None and error.code in {"task_expired", "slot_taken"},
        "is_open": task.is_open,
    }
    return render(request, "tasks/ended.html", context, status=status)


@require_POST
@contributor
def undo_review(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Take back the review that was just sent and go on with it, or say why it is too late."""
    try:
        task = undo.undo_labels(task_id, request.user, now=timezone.now())
    except TooLateToUndo as error:
        toasts.warning(request, error.message)
        return handout.after(request, assignment.find(task_id, request.user))
    toasts.info(request, _("Taken back. Change what you like and submit it again."))
    return redirect("tasks:work", task.pk)


@require_POST
@contributor
def skip(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Give a task back and go on to the next, or to the list that it was given back from."""
    task = assignment.find(task_id, request.user)
    form = forms.SkipForm(request.POST)
    reason = form.text() if form.is_valid() else ""
    interactions.skip(task.pk, request.user, reason=reason, now=timezone.now())
    toasts.info(request, _("Skipped. This one will not be offered to you again."))
    url = wanted_path(request)
    return redirect(url) if url else handout.after(request, task)


@require_POST
@contributor
def keep_draft(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Keep what was entered so far; called by the open page every few seconds."""
    task = assignment.find(task_id, request.user)
    form = forms.for_task(task, assignment.material(task).replies, data=request.POST)
    draft = interactions.save_draft(task.pk, request.user, form.draft(), now=timezone.now())
    if wants_json(request):
        return JsonResponse({"saved_at": draft.saved_at.isoformat()})
    toasts.success(request, _("Your draft is saved. You find it under “My contributions”."))
    return redirect("tasks:work", task.pk)


@require_POST
@contributor
def heartbeat(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Hold the place for longer, while somebody works on it."""
    until = interactions.extend(task_id, request.user, now=timezone.now())
    if wants_json(request):
        return JsonResponse({"reserved_until": until.isoformat()})
    return redirect("tasks:work", task_id)


@require_POST
@contributor
def put_hints_away(request: HttpRequest, kind: str) -> HttpResponse:
    """Show no more hints for tasks of a kind."""
    if kind not in kinds.KINDS:
        raise Http404
    first_steps.put_hints_away(request.user, TaskType(kind))
    if request.htmx:
        return render(request, "tasks/_hints_away.html")
    return redirect("tasks:list")


@require_POST
@contributor
def preview(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """The text as readers will see it, and a hint if it seems to be in another language."""
    task = assignment.find(task_id, request.user)
    is_prompt = task.kind == TaskType.INITIAL_PROMPT
    form = (forms.PromptForm if is_prompt else forms.WritingForm)(request.POST)
    text = form.draft().get("text", "")
    context = {"task": task, **previews.of(request, text, task.lang), **_suggested(task, text)}
    if request.htmx:
        return render(request, "tasks/_preview.html", context)
    return _show(request, task, assignment.material(task), form, preview=context)
