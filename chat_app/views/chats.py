"""Chats: the list, a new one, one with its thread, and saying something."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chat_app import asking, catalogue, conversations, reading, search
from chat_app.enums import Role
from chat_app.errors import BadParent, ReplyUnderWay, SearchTooSlow
from chat_app.forms import FindForm, NewChatForm, PromptForm, WindowForm
from chat_app.models import Chat
from chat_app.views.edges import FORM_INVALID, NO_ROOM, after_change, member, show_thread, tell
from oasst.lib.errors import DomainError
from oasst.lib.keyset import Cursor


@require_http_methods(["GET", "HEAD", "POST"])
@member
def chat_list(request: HttpRequest) -> HttpResponse:
    """A new chat and the latest ones; or what a search finds."""
    if request.method == "POST":
        return _begin(request)
    form = FindForm(request.GET)
    if form.is_valid() and not any(form.cleaned_data.values()):
        return _new_page(
            request, NewChatForm(offers=reading.offers(now=timezone.now()), auto_id="say_%s")
        )
    return _found_page(request, form)


def _new_form(data: Any = None) -> NewChatForm:
    return NewChatForm(data, offers=reading.offers(now=timezone.now()), auto_id="say_%s")


def _new_page(request: HttpRequest, form: NewChatForm, *, error: str = "") -> HttpResponse:
    now = timezone.now()
    context = {
        "form": form,
        "error": error,
        "say_key": uuid.uuid4(),
        "examples": _examples(),
        "offers": reading.offers(now=now),
        "sidebar": reading.sidebar(request.user, now=now),
    }
    return render(request, "chat/new.html", context, status=FORM_INVALID if error else 200)


def _examples() -> list[dict[str, str]]:
    """What somebody might begin with, each with an icon."""
    return [
        {"icon": "rainbow", "text": _("Explain to a ten-year-old how a rainbow comes about.")},
        {"icon": "code-xml", "text": _("Show me how to sort a list of names in Python.")},
        {"icon": "feather", "text": _("Write a short poem about a lighthouse in winter.")},
        {"icon": "landmark", "text": _("What is the capital of France, and what is it known for?")},
    ]


def _found_page(request: HttpRequest, form: FindForm) -> HttpResponse:
    now = timezone.now()
    asked = form.cleaned_data if form.is_valid() else {}
    looked_for = search.search(request.user, asked.get("q", ""))
    found = looked_for.chats().filter(archived=bool(asked.get("archived")))
    error, page, shown = None, reading.Page([], None), {}
    try:
        with looked_for.patience():
            size = search.PAGE_SIZE if asked.get("q") else reading.CHATS_A_PAGE
            page = reading.page(found, asked.get("before"), size=size)
            shown = looked_for.shown(page.chats)
    except SearchTooSlow as slow:
        error, page = slow, reading.Page([], None)
    for chat in page.chats:
        chat.shown = shown[chat.pk]
    context = {
        "form": form,
        "asked": asked,
        "error": error,
        "is_cut": looked_for.asked.is_cut,
        "days": reading.by_days(page.chats, now=now),
        "newest_url": _url(asked) if asked.get("before") else "",
        "next_url": _url(asked, page.more) if page.more else "",
        "sidebar": reading.sidebar(request.user, now=now),
    }
    status = error.status if error else FORM_INVALID if form.errors else 200
    return render(request, "chat/list.html", context, status=status)


def _url(asked: dict[str, Any], before: Cursor | None = None) -> str:
    query = {"q": asked["q"], "archived": "on" if asked["archived"] else "", "before": before}
    return "?" + urlencode({name: value for name, value in query.items() if value})


def _begin(request: HttpRequest) -> HttpResponse:
    """Start a chat with its first prompt; a prompt that is refused leaves no chat behind."""
    form = _new_form(request.POST)
    if not form.is_valid():
        return _new_page(request, form, error=_first_error(form))
    now, asked = timezone.now(), form.cleaned_data
    key = asked["key"] or uuid.uuid4()
    try:
        with transaction.atomic():
            model = catalogue.named(asked["model"]) if asked["model"] else None
            # The text too: whoever comes back to the page may ask for something else.
            sending = f"{key}:{asked['text']}"
            chat, is_new = conversations.start_once(request.user, sending, model=model, now=now)
            if is_new and asked["private"]:
                conversations.set_data_use(chat, False)
            sent = {"key": key, "count": form.drafts(), "now": now}
            asking.ask(chat, request.user, asked["text"], **sent)
    except DomainError as error:
        return _new_page(request, form, error=error.message)
    return redirect("chat:chat", chat.pk)


@require_safe
@member
def chat(request: HttpRequest, chat_id: uuid.UUID) -> HttpResponse:
    """One chat. For scripts the thread; with `before`, the part of it before a message."""
    found = conversations.of(request.user, chat_id)
    form = WindowForm(request.GET)
    before = form.cleaned_data["before"] if form.is_valid() else None
    if before is None:
        return show_thread(request, found)
    thread = reading.thread(found, now=timezone.now(), before=before)
    name = "_earlier" if request.htmx else "earlier"
    return render(request, f"chat/{name}.html", {"chat": found, "thread": thread})


@require_POST
@member
def say(request: HttpRequest, chat_id: uuid.UUID) -> HttpResponse:
    """Send a prompt and ask for its replies."""
    found = conversations.of(request.user, chat_id)
    form = PromptForm(request.POST, auto_id="say_%s")
    if not form.is_valid():
        return _refuse(request, found, form, _first_error(form))
    asked = form.cleaned_data
    sent = {"parent_id": asked["parent"], "key": asked["key"], "count": form.drafts()}
    try:
        _check_parent(found, asked["parent"])
        asking.ask(found, request.user, asked["text"], now=timezone.now(), **sent)
    except NO_ROOM as error:
        found.refresh_from_db()
        return tell(request, after_change(request, found), error.message, "warning")
    except DomainError as error:
        return _refuse(request, found, form, error.message)
    found.refresh_from_db()
    return after_change(request, found, found.tail_id)


def _check_parent(chat: Chat, parent: uuid.UUID | None) -> None:
    """A page names none while the next prompt cannot follow yet. Raises what stands against it."""
    if parent is not None or chat.tail is None:
        return
    if not chat.tail.is_final:
        raise ReplyUnderWay
    if chat.tail.role == Role.ASSISTANT:
        raise BadParent(_("Pick one of the answers first, then go on."))
    raise BadParent(_("Your last message has no answer yet. Ask for one first."))


def _refuse(request: HttpRequest, chat: Chat, form: PromptForm, error: str) -> HttpResponse:
    """Scripts keep the form as it is; without them it comes back filled in."""
    if request.htmx:
        response = HttpResponse(status=FORM_INVALID, headers={"HX-Reswap": "none"})
        return tell(request, response, error, "error")
    return show_thread(request, chat, form=form, error=error)


def _first_error(form: Any) -> str:
    return str(next(iter(form.errors.values()))[0])
