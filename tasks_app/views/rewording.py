"""The page on which an author changes a message that nobody has begun to judge."""

import uuid
from typing import Any

from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from oasst.lib.errors import DomainError
from tasks_app import rewording
from tasks_app.config import TreeConfig
from tasks_app.errors import MessageNotFound, NotAllowed, TextChanged, TextStays
from tasks_app.forms.work import RewordForm
from tasks_app.models import Message
from tasks_app.views import previews
from tasks_app.views.edges import FORM_INVALID, contributor, problem


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@contributor
def edit(request: HttpRequest, message_id: uuid.UUID) -> HttpResponse:
    """Show the text in a field, look at what it would be, or store it."""
    form = RewordForm(request.POST if request.method == "POST" else None)
    try:
        found = rewording.find(message_id, request.user, now=timezone.now())
    except TextStays as error:
        return _stays(request, error, form.draft().get("text", ""))
    begun = {"text": found.text, "base": rewording.version(found)}
    if request.method != "POST":
        return _page(request, found, RewordForm(initial=begun))
    if "preview" in request.POST:
        return _preview(request, found, form)
    if not form.is_valid():
        return _page(request, found, form, status=FORM_INVALID)
    return _store(request, found, form)


def _store(request: HttpRequest, found: Message, form: RewordForm) -> HttpResponse:
    text, base = form.cleaned_data["text"], form.cleaned_data["base"]
    try:
        rewording.reword(found.pk, request.user, text, base=base, now=timezone.now())
    except (MessageNotFound, NotAllowed):
        raise
    except TextStays as error:
        return _stays(request, error, text)
    except TextChanged as error:
        again = RewordForm({"text": text, "base": rewording.version(found)})
        return _refused(request, found, again, error, other=found.text)
    except DomainError as error:
        return _refused(request, found, form, error)
    toasts.success(request, _("Changed. Reviewers get the new text."))
    return redirect("tasks:message", found.pk)


def _refused(
    request: HttpRequest, found: Message, form: RewordForm, error: DomainError, **extra: Any
) -> HttpResponse:
    form.add_error(None, error.message)
    return _page(request, found, form, status=error.status, **extra)


def _stays(request: HttpRequest, error: TextStays, entered: str) -> HttpResponse:
    if request.htmx or not entered:
        return problem(request, error)
    context = {"error": error, "entered": entered}
    return render(request, "tasks/edit_refused.html", context, status=error.status)


def _preview(request: HttpRequest, found: Message, form: RewordForm) -> HttpResponse:
    shown = previews.of(request, form.draft().get("text", ""), found.lang, but=found.pk)
    if request.htmx:
        return render(request, "tasks/_preview.html", shown)
    return _page(request, found, form, preview=shown)


def _page(
    request: HttpRequest, found: Message, form: RewordForm, *, status: int = 200, **extra: Any
) -> HttpResponse:
    limit = TreeConfig.current().message_size_limit
    context = {"message": found, "parent": found.parent, "form": form, "limit": limit, **extra}
    return render(request, "tasks/edit.html", context, status=status)
