"""How a chat is kept: settings, title, archive, sharing, data use, export, deletion."""

import json
import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from chat_app import catalogue, conversations, reading, sharing, transcripts
from chat_app.errors import ChatNotFound, InvalidSettings
from chat_app.forms import (
    ExportForm,
    FlagForm,
    InstructionsForm,
    PresetForm,
    RenameForm,
    SettingsForm,
    ShareForm,
    settings_of,
)
from chat_app.inference.sampling import SamplingParameters
from chat_app.models import Chat, CustomInstructions, Preset
from chat_app.views.edges import FORM_INVALID, form_page, member, tell

_HEADINGS = {
    "settings": _("Model and settings"),
    "rename": _("Rename this chat"),
    "delete": _("Delete this chat?"),
    "share": _("Share this chat"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@member
def settings(request: HttpRequest, chat_id: uuid.UUID) -> HttpResponse:
    """Model, preset and parameters of the next reply."""
    chat = conversations.of(request.user, chat_id)
    parts = {
        "offers": reading.offers(now=timezone.now()),
        "presets": catalogue.presets_for(request.user),
    }
    data = request.POST if request.method == "POST" else None
    form = SettingsForm(data, initial=settings_of(chat), **parts)
    if form.is_valid():
        try:
            _configure(request, chat, form)
        except InvalidSettings as error:
            form.add_error(None, error.message)
        else:
            return _done(request, chat, _("The next reply uses these settings."))
    choices = _preset_choices(parts["presets"])
    return _dialog(request, "settings", chat, form=form, choices=choices, **parts)


def _preset_choices(presets: dict[str, SamplingParameters]) -> list[dict[str, str]]:
    """Presets with the values that the sliders take on."""
    named = [
        {"name": name, "label": reading.preset_title(name), "values": json.dumps(preset.to_dict())}
        for name, preset in presets.items()
    ]
    return [*named, {"name": "", "label": gettext("My own values"), "values": ""}]


def _configure(request: HttpRequest, chat: Chat, form: SettingsForm) -> None:
    asked, values = form.cleaned_data, form.parameters()
    preset = asked["preset"]
    if asked["save_as"]:
        kept = catalogue.keep_preset(request.user, asked["save_as"], values, now=timezone.now())
        preset = kept.name
    model = catalogue.named(asked["model"]) if asked["model"] else None
    conversations.configure(chat, model=model, parameters=values, preset=preset)


@require_http_methods(["GET", "HEAD", "POST"])
@member
def rename(request: HttpRequest, chat_id: uuid.UUID) -> HttpResponse:
    """Give the chat another title."""
    chat = conversations.of(request.user, chat_id)
    data = request.POST if request.method == "POST" else None
    form = RenameForm(data, initial={"title": chat.title})
    if not form.is_valid():
        return _dialog(request, "rename", chat, form=form)
    conversations.rename(chat, form.cleaned_data["title"])
    return _done(request, chat, _("Renamed."))


@require_POST
@member
def archive(request: HttpRequest, chat_id: uuid.UUID) -> HttpResponse:
    """Put the chat out of the way, or back."""
    chat = conversations.of(request.user, chat_id)
    conversations.archive(chat, _flag(request))
    said = _("Moved to the archive.") if chat.archived else _("Back among your chats.")
    return tell(request, _done(request, chat, ""), said, "success")


@require_http_methods(["GET", "HEAD", "POST"])
@member
def delete(request: HttpRequest, chat_id: uuid.UUID) -> HttpResponse:
    """Remove the chat with everything in it, after asking."""
    chat = conversations.of(request.user, chat_id)
    if request.method != "POST":
        return _dialog(request, "delete", chat)
    conversations.delete(chat)
    response = redirect("chat:list")
    if request.htmx:
        response = HttpResponseClientRedirect(response["Location"])
    return response


@require_POST
@member
def data_use(request: HttpRequest, chat_id: uuid.UUID) -> HttpResponse:
    """Allow or forbid that this chat is used for training."""
    chat = conversations.of(request.user, chat_id)
    conversations.set_data_use(chat, _flag(request))
    if request.htmx:
        return render(request, "chat/_data_use.html", {"chat": chat})
    return redirect("chat:chat", chat.pk)


def _flag(request: HttpRequest) -> bool:
    form = FlagForm(request.POST)
    return form.is_valid() and form.cleaned_data["on"]


@require_http_methods(["GET", "HEAD", "POST"])
@member
def share(request: HttpRequest, chat_id: uuid.UUID) -> HttpResponse:
    """Make a link to a copy of the thread, or take one back."""
    chat = conversations.of(request.user, chat_id)
    if request.method == "POST":
        form = ShareForm(request.POST)
        if not form.is_valid():
            raise ChatNotFound
        _change_shares(chat, form.cleaned_data["revoke"])
        if not request.htmx:
            return redirect("chat:share", chat.pk)
    shares = chat.shares.order_by("-created_at")
    return _dialog(request, "share", chat, status=200, shares=shares)


def _change_shares(chat: Chat, revoke: uuid.UUID | None) -> None:
    if revoke is None:
        sharing.share(chat, now=timezone.now())
        return
    found = chat.shares.filter(pk=revoke).first()
    if found is None:
        raise ChatNotFound
    sharing.revoke(found)


@require_safe
@member
def export(request: HttpRequest, chat_id: uuid.UUID) -> HttpResponse:
    """The whole chat as JSON, or the thread in view as Markdown."""
    chat = conversations.of(request.user, chat_id)
    form = ExportForm(request.GET)
    wanted = form.cleaned_data["format"] if form.is_valid() else "json"
    if wanted == "json":
        body, kind, ending = transcripts.to_json(chat), "application/json", "json"
    else:
        body, kind, ending = transcripts.to_markdown(chat), "text/markdown", "md"
    name = f"chat-{chat.created_at:%Y-%m-%d}-{str(chat.pk)[:8]}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(body, content_type=f"{kind}; charset=utf-8", headers=headers)


@require_http_methods(["GET", "HEAD", "POST"])
@member
def own_settings(request: HttpRequest) -> HttpResponse:
    """Custom instructions of the account, and the presets it keeps."""
    kept = CustomInstructions.objects.filter(user=request.user).first()
    kept = kept or CustomInstructions(user=request.user)
    forget = PresetForm(request.POST)
    if request.method == "POST" and forget.is_valid() and forget.cleaned_data["forget"]:
        catalogue.drop_preset(request.user, forget.cleaned_data["forget"])
        return tell(request, redirect("chat:settings"), _("The preset is gone."), "success")
    form = InstructionsForm(request.POST if request.method == "POST" else None, instance=kept)
    if form.is_valid():
        form.save()
        return tell(request, redirect("chat:settings"), _("Saved."), "success")
    context = {"form": form, "presets": Preset.objects.filter(user=request.user)}
    status = FORM_INVALID if form.errors else 200
    return render(request, "chat/own_settings.html", context, status=status)


def _dialog(
    request: HttpRequest, name: str, chat: Chat, *, status: int | None = None, **context: Any
) -> HttpResponse:
    if status is None:
        status = FORM_INVALID if request.method == "POST" else 200
    return form_page(request, f"chat/_{name}_form.html", _HEADINGS[name], chat, context, status)


def _done(request: HttpRequest, chat: Chat, said: str) -> HttpResponse:
    """Close the dialog and tell the page what the chat is now; without scripts, show the chat."""
    if not request.htmx:
        response = redirect("chat:chat", chat.pk)
        return tell(request, response, said, "success") if said else response
    response = HttpResponse()
    model = str(chat.model) if chat.model else ""
    preset = reading.preset_title(chat.preset)
    now = {"id": str(chat.pk), "title": chat.title, "model": model, "preset": preset}
    trigger_client_event(response, "chat:changed", now)
    trigger_client_event(response, "dialog:done", {})
    return tell(request, response, said, "success") if said else response
