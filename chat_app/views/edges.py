"""What the chat's views share: who comes in, and how a thread is shown again after a change."""

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from chat_app import reading
from chat_app.errors import QueueFull, TooManyWaiting
from chat_app.forms import PromptForm, WindowForm
from chat_app.models import Chat
from oasst.lib import edges
from oasst.lib.errors import DomainError

FORM_INVALID = edges.FORM_INVALID
# The prompt is stored; its reply may be asked for again.
NO_ROOM = (QueueFull, TooManyWaiting)


def problem(request: HttpRequest, error: DomainError) -> HttpResponse:
    """Say what happened and what to do."""
    return edges.problem(request, error, template="chat/problem.html")


member = edges.signed_in(problem)


def show_thread(
    request: HttpRequest, chat: Chat, *, form: PromptForm | None = None, error: str = ""
) -> HttpResponse:
    """The chat's page, for scripts the thread alone. With an `error`, the form as it was sent."""
    since, whole = _window(request)
    now = timezone.now()
    thread = reading.thread(chat, now=now, since=since, whole=whole)
    # Another branch than that of the messages which stand above on the page: show it anew.
    if since and thread.entries and thread.entries[0].message.pk != since:
        return HttpResponseClientRedirect(reverse("chat:chat", args=[chat.pk]))
    context: dict[str, Any] = {"chat": chat, "thread": thread, "say_key": uuid.uuid4()}
    if request.htmx:
        return render(request, "chat/_thread.html", context)
    context |= {
        "form": form or PromptForm(auto_id="say_%s"),
        "error": error,
        "preset_title": reading.preset_title(chat.preset),
        "sidebar": reading.sidebar(request.user, now=now),
        "offers": reading.offers(now=now),
    }
    return render(request, "chat/chat.html", context, status=FORM_INVALID if error else 200)


def _window(request: HttpRequest) -> tuple[uuid.UUID | None, bool]:
    """How much of the thread a script's page shows: since a message, or all of it."""
    form = WindowForm(request.POST or request.GET)
    if not request.htmx or not form.is_valid():
        return None, False
    return form.cleaned_data["since"], form.cleaned_data["whole"]


def after_change(request: HttpRequest, chat: Chat, message_id: Any = None) -> HttpResponse:
    """The changed thread for scripts, else back to the page."""
    if request.htmx:
        return show_thread(request, chat)
    anchor = f"#m-{message_id}" if message_id else ""
    return redirect(reverse("chat:chat", args=[chat.pk]) + anchor)


def tell(request: HttpRequest, response: HttpResponse, text: str, tone: str) -> HttpResponse:
    """Show a toast: with this answer to scripts, on the next page without."""
    if request.htmx:
        return trigger_client_event(response, "toast", {"text": str(text), "tone": tone})
    toasts.add_message(request, getattr(toasts, tone.upper()), str(text))
    return response


def form_page(
    request: HttpRequest,
    fragment: str,
    heading: str | Promise,
    chat: Chat,
    context: dict[str, Any],
    status: int,
) -> HttpResponse:
    """A form in a dialog for scripts, on a page of its own without them."""
    template = fragment if request.htmx else "chat/form_page.html"
    context = context | {
        "chat": chat,
        "fragment": fragment,
        "heading": heading,
        "site_url": settings.SITE_URL,
    }
    return render(request, template, context, status=status)
