"""What one does with a message: ask again, carry on, stop, branch, pick, judge, report."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import trigger_client_event

from chat_app import asking, conversations, reading, replies
from chat_app.enums import Role
from chat_app.forms import DraftsForm, PromptForm, ReportForm, VoteForm
from chat_app.models import Chat, ChatMessage
from chat_app.views.edges import FORM_INVALID, NO_ROOM, after_change, form_page, member, tell
from oasst.lib import ratelimit
from oasst.lib.edges import slow_down
from oasst.lib.errors import DomainError

# More than anybody who reads with care finds in an hour.
_REPORTS = {"limit": 30, "window_s": 3600}


def _find(
    request: HttpRequest, chat_id: uuid.UUID, message_id: uuid.UUID
) -> tuple[Chat, ChatMessage]:
    chat = conversations.of(request.user, chat_id)
    return chat, conversations.message_of(chat, message_id)


@require_safe
@member
def message(request: HttpRequest, chat_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """One message: a fragment for scripts, a page of its own without. `plain` shows its source."""
    chat = conversations.of(request.user, chat_id)
    return _show_message(request, chat, message_id, plain=request.GET.get("plain") == "on")


def _show_message(
    request: HttpRequest, chat: Chat, message_id: uuid.UUID, **context: Any
) -> HttpResponse:
    entry = reading.entry(chat, message_id, now=timezone.now())
    context |= {"chat": chat, "entry": entry}
    name = "_message" if request.htmx else "message"
    return render(request, f"chat/{name}.html", context)


@require_POST
@member
def regenerate(request: HttpRequest, chat_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Ask for other replies to the prompt of a reply, or for the first to a prompt."""
    chat, found = _find(request, chat_id, message_id)
    form = DraftsForm(request.POST)
    count = form.drafts() if form.is_valid() else 1
    prompt = found if found.role == Role.PROMPTER else found.parent
    asking.take_prompt(request.user, now=timezone.now())
    asked = replies.request(prompt, count=count, now=timezone.now())
    return _again(request, chat, asked[0].pk)


@require_POST
@member
def carry_on(request: HttpRequest, chat_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Go on with a reply that broke off."""
    chat, found = _find(request, chat_id, message_id)
    asking.take_prompt(request.user, now=timezone.now())
    return _again(request, chat, replies.resume(found, now=timezone.now()).pk)


@require_POST
@member
def stop(request: HttpRequest, chat_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """End a reply now; what is there is kept."""
    chat, found = _find(request, chat_id, message_id)
    replies.stop(found.pk, now=timezone.now())
    return _again(request, chat, found.pk)


@require_POST
@member
def show(request: HttpRequest, chat_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Bring the branch of a message into view."""
    chat, found = _find(request, chat_id, message_id)
    conversations.show(chat, found)
    return _again(request, chat, found.pk)


@require_POST
@member
def choose(request: HttpRequest, chat_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Pick the best of several drafts."""
    chat, found = _find(request, chat_id, message_id)
    conversations.choose_draft(chat, found, now=timezone.now())
    return _again(request, chat, found.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@member
def edit(request: HttpRequest, chat_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Say something else in the place of a prompt: a branch beside it."""
    chat, found = _find(request, chat_id, message_id)
    if found.role != Role.PROMPTER:
        raise conversations.ChatNotFound
    if request.method != "POST":
        return _edit_form(request, chat, found, PromptForm(initial={"text": found.text}))
    form = PromptForm(request.POST)
    if not form.is_valid():
        return _edit_form(request, chat, found, form)
    sent = {"parent_id": found.parent_id, "key": form.cleaned_data["key"], "now": timezone.now()}
    try:
        asking.ask(chat, request.user, form.cleaned_data["text"], **sent)
    except NO_ROOM as error:
        return tell(request, _again(request, chat), error.message, "warning")
    except DomainError as error:
        form.add_error("text", error.message)
        return _edit_form(request, chat, found, form)
    return _again(request, chat)


def _edit_form(
    request: HttpRequest, chat: Chat, found: ChatMessage, form: PromptForm
) -> HttpResponse:
    context = {"message": found, "form": form, "say_key": uuid.uuid4()}
    status = FORM_INVALID if form.errors else 200
    heading = _("Edit your message")
    response = form_page(request, "chat/_edit_form.html", heading, chat, context, status)
    if form.errors:
        response["HX-Retarget"] = f"#m-{found.pk} .edit-form"
        response["HX-Reswap"] = "outerHTML"
    return response


def _again(request: HttpRequest, chat: Chat, message_id: uuid.UUID | None = None) -> HttpResponse:
    chat.refresh_from_db(fields=["tail", "title"])
    return after_change(request, chat, message_id or chat.tail_id)


@require_POST
@member
def vote(request: HttpRequest, chat_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Give a thumb, say why, or take it back."""
    chat, found = _find(request, chat_id, message_id)
    form = VoteForm(request.POST)
    if not form.is_valid():
        raise conversations.InvalidVote
    value, asked = form.cleaned_data["value"], form.cleaned_data
    says_why = "reasons" in request.POST or "text" in request.POST
    if value == 0:
        conversations.unvote(found)
    else:
        conversations.vote(
            found, value, now=timezone.now(), reasons=asked["reasons"], text=asked["text"]
        )
    if not request.htmx:
        return redirect(f"{reverse('chat:chat', args=[chat.pk])}#m-{found.pk}")
    response = _show_message(request, chat, found.pk, asks_why=bool(value) and not says_why)
    helps = _("Thank you. This helps the next version.")
    thanks = helps if chat.allow_data_use else _("Thank you.")
    return tell(request, response, thanks, "success") if says_why else response


@require_http_methods(["GET", "HEAD", "POST"])
@member
def report(request: HttpRequest, chat_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Ask the moderators to look at a message."""
    chat, found = _find(request, chat_id, message_id)
    form = ReportForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {"message": found, "form": form}
        status = FORM_INVALID if form.errors else 200
        heading = _("Report this message")
        return form_page(request, "chat/_report_form.html", heading, chat, context, status)
    allowance = ratelimit.hit("reports", str(request.user.pk), **_REPORTS)
    if not allowance.allowed:
        return slow_down(request, allowance.retry_after_s)
    asked = form.cleaned_data
    conversations.report(found, request.user, asked["kind"], asked["text"], now=timezone.now())
    thanks = _("Thank you. The moderators will look at this message.")
    if request.htmx:
        return tell(
            request, trigger_client_event(HttpResponse(), "dialog:done", {}), thanks, "success"
        )
    return tell(request, after_change(request, chat, found.pk), thanks, "success")
