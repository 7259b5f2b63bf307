"""Two of the replies to be ranked beside each other, word by word."""

import uuid

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tasks_app import assignment, differences
from tasks_app.assignment import Lettered
from tasks_app.errors import AlreadySubmitted
from tasks_app.forms.work import PairForm
from tasks_app.models import Task
from tasks_app.views.edges import FORM_INVALID, contributor
from tasks_app.views.work import word_for


@require_safe
@contributor
def show(request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """Which words two replies share; the form above chooses the two."""
    task = assignment.find(task_id, request.user)
    replies = {reply.letter: reply for reply in _replies(task)}
    names = {letter: f"{word_for(task)} {letter}" for letter in replies}
    form = PairForm(request.GET, names=names)
    context = {"task": task, "form": form}
    if form.is_valid():
        first, second = form.cleaned_data["a"], form.cleaned_data["b"]
        context |= {
            "titles": [names[first], names[second]],
            **_compared(replies[first], replies[second]),
        }
    template = "tasks/_differences.html" if request.htmx else "tasks/differences.html"
    return render(request, template, context, status=200 if form.is_valid() else FORM_INVALID)


def _replies(task: Task) -> list[Lettered]:
    """The replies as the page of the task names them, while it is open."""
    if not task.type.is_ranking:
        raise Http404
    shown = assignment.material(task)
    ended = assignment.why_ended(task, shown, now=timezone.now())
    if ended or task.done_at:
        raise ended or AlreadySubmitted
    return assignment.lettered(shown.replies)


def _compared(first: Lettered, second: Lettered) -> dict[str, object]:
    try:
        found = differences.compare(first.message.text, second.message.text)
    except differences.TooLong:
        return {"is_too_long": True}
    return {
        "columns": [(first.message, found.first), (second.message, found.second)],
        "is_same": found.shared == 1,
        "percent": round(100 * found.shared),
    }
