"""Offering an answer as a task: what would become public, and the word that it may."""

import uuid

from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from chat_app import conversations, offering
from chat_app.forms import OfferForm
from chat_app.models import Chat, ChatMessage
from chat_app.views.edges import FORM_INVALID, member


@require_http_methods(["GET", "HEAD", "POST"])
@member
def offer(request: HttpRequest, chat_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Show the thread and its drafts as others would see them; make them a task."""
    chat = conversations.of(request.user, chat_id)
    reply = conversations.message_of(chat, message_id)
    try:
        return _offer(request, chat, reply)
    except offering.NothingToRank as error:
        context = {"chat": chat, "reply": reply, "error": error}
        return render(request, "chat/offer.html", context, status=error.status)


def _offer(request: HttpRequest, chat: Chat, reply: ChatMessage) -> HttpResponse:
    form = OfferForm(request.POST or None, languages=request.user.contribution_languages)
    if request.method == "POST" and form.is_valid():
        lang = form.cleaned_data["lang"]
        consent = offering.offer(reply, request.user, lang=lang, now=timezone.now())
        toasts.success(request, _("Thank you. Others will rank these answers."))
        return redirect("tasks:tree", consent.tree_id)
    found = offering.preview(reply)
    context = {"chat": chat, "reply": reply, "found": found, "form": form}
    status = FORM_INVALID if form.errors else 200
    return render(request, "chat/offer.html", context, status=status)
