"""REST API of the chat, below /api/v1/: a person's own chats, for programs with a token."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Query, Router, Status

from chat_app import asking, catalogue, conversations, reading, replies, search, transcripts
from chat_app.api_schemas import (
    AskedOut,
    ChatChange,
    ChatDetail,
    ChatIn,
    ChatOut,
    ChatsOut,
    DraftsIn,
    Find,
    MessageIn,
    MessageOut,
    ModelOut,
    Parameters,
    ReportIn,
    VoteIn,
    chat_out,
    message_out,
)
from chat_app.enums import Role
from chat_app.errors import BadParent, InvalidSettings
from chat_app.models import Chat, ChatMessage, ServedModel
from oasst.accounts.bearer import BearerToken
from oasst.accounts.bearer import person as _user
from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from oasst.lib.api import answers
from oasst.lib.idempotency import once
from oasst.lib.keyset import Cursor

READ, WRITE = BearerToken(Scope.READ_CHATS), BearerToken(Scope.WRITE_CHATS)
router = Router(tags=["chats"])


# Models and chats


@router.get("/models", auth=READ, response=answers(list[ModelOut]), tags=["models"])
def list_models(request: HttpRequest) -> Any:
    """The models on offer, the default one first."""
    return catalogue.on_offer()


@router.get("/chats", auth=READ, response=answers(ChatsOut))
def list_chats(request: HttpRequest, find: Query[Find]) -> Any:
    """Your chats, the one changed last first."""
    looked_for = search.search(_user(request), find.q)
    found = looked_for.chats().filter(archived=find.archived).select_related("model")
    before = Cursor.parse(find.before) if find.before else None
    with looked_for.patience():
        page = reading.page(found, before, size=find.limit)
    items = [chat_out(chat) for chat in page.chats]
    return {"items": items, "next": str(page.more) if page.more else None}


@router.post("/chats", auth=WRITE, response=answers(ChatOut, 201))
@once
def create_chat(request: HttpRequest, body: ChatIn) -> Any:
    """Begin an empty chat."""
    with transaction.atomic():
        chat = conversations.start(_user(request), model=_model(body.model), now=timezone.now())
        if body.title:
            conversations.rename(chat, body.title)
        if body.parameters:
            conversations.configure(chat, parameters=_merged(chat, body.parameters))
    return Status(201, chat_out(chat))


@router.get("/chats/{uuid:chat_id}", auth=READ, response=answers(ChatDetail))
def read_chat(request: HttpRequest, chat_id: UUID) -> Any:
    """A chat with every message of its tree, oldest first."""
    chat = conversations.of(_user(request), chat_id)
    messages = chat.messages.select_related("vote").order_by("created_at", "id")
    return {**chat_out(chat), "messages": [message_out(message) for message in messages]}


@router.patch("/chats/{uuid:chat_id}", auth=WRITE, response=answers(ChatOut))
def change_chat(request: HttpRequest, chat_id: UUID, body: ChatChange) -> Any:
    """Rename, archive, allow or forbid training, choose model, parameters and branch."""
    chat = conversations.of(_user(request), chat_id)
    with transaction.atomic():
        _change(chat, body)
    return chat_out(chat)


@router.delete("/chats/{uuid:chat_id}", auth=WRITE, response=answers(None, 204))
def delete_chat(request: HttpRequest, chat_id: UUID) -> Any:
    """Remove a chat with everything in it, for good."""
    conversations.delete(conversations.of(_user(request), chat_id))
    return Status(204, None)


@router.get(
    "/chats/{uuid:chat_id}/export",
    auth=READ,
    response=answers(dict[str, Any]),
    openapi_extra={
        "responses": {200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}}
    },
)
def export_chat(
    request: HttpRequest, chat_id: UUID, format: Literal["json", "markdown"] = "json"
) -> HttpResponse:
    """The chat as one file: JSON with every branch, or the thread in view as Markdown."""
    chat = conversations.of(_user(request), chat_id)
    if format == "markdown":
        return HttpResponse(transcripts.to_markdown(chat), content_type="text/markdown")
    return HttpResponse(transcripts.to_json(chat), content_type="application/json")


# Messages


@router.post("/chats/{uuid:chat_id}/messages", auth=WRITE, response=answers(AskedOut, 202))
@once
def send_message(request: HttpRequest, chat_id: UUID, body: MessageIn) -> Any:
    """Say something and ask for replies, which are written in a while."""
    user = _user(request)
    chat = conversations.of(user, chat_id)
    prompt, asked = asking.ask(
        chat,
        user,
        body.text,
        parent_id=body.parent,
        key=body.key,
        count=body.count,
        now=timezone.now(),
    )
    return Status(202, _asked(prompt, asked))


@router.get(
    "/chats/{uuid:chat_id}/messages/{uuid:message_id}", auth=READ, response=answers(MessageOut)
)
def read_message(request: HttpRequest, chat_id: UUID, message_id: UUID) -> Any:
    """One message; a reply that is not final has no text yet."""
    return message_out(_message(request, chat_id, message_id))


@router.post(
    "/chats/{uuid:chat_id}/messages/{uuid:message_id}/regenerate",
    auth=WRITE,
    response=answers(AskedOut, 202),
)
@once
def regenerate(request: HttpRequest, chat_id: UUID, message_id: UUID, body: DraftsIn) -> Any:
    """Ask for other replies to the prompt of a reply, or for the first to a prompt."""
    found, now = _message(request, chat_id, message_id), timezone.now()
    prompt = found if found.role == Role.PROMPTER else found.parent
    if prompt is None:
        raise BadParent
    asking.take_prompt(_user(request), now=now)
    return Status(202, _asked(prompt, replies.request(prompt, count=body.count, now=now)))


@router.post(
    "/chats/{uuid:chat_id}/messages/{uuid:message_id}/continue",
    auth=WRITE,
    response=answers(MessageOut, 202),
)
@once
def carry_on(request: HttpRequest, chat_id: UUID, message_id: UUID) -> Any:
    """Go on with a reply that broke off or reached its limit, as a new reply beside it."""
    found, now = _message(request, chat_id, message_id), timezone.now()
    asking.take_prompt(_user(request), now=now)
    return Status(202, message_out(replies.resume(found, now=now)))


@router.post(
    "/chats/{uuid:chat_id}/messages/{uuid:message_id}/stop",
    auth=WRITE,
    response=answers(MessageOut),
)
def stop(request: HttpRequest, chat_id: UUID, message_id: UUID) -> Any:
    """End a reply now and keep what is there."""
    found = _message(request, chat_id, message_id)
    replies.stop(found.pk, now=timezone.now())
    found.refresh_from_db()
    return message_out(found)


@router.post(
    "/chats/{uuid:chat_id}/messages/{uuid:message_id}/choose",
    auth=WRITE,
    response=answers(MessageOut),
)
def choose(request: HttpRequest, chat_id: UUID, message_id: UUID) -> Any:
    """Pick this draft as the best of those beside it."""
    found = _message(request, chat_id, message_id)
    conversations.choose_draft(found.chat, found, now=timezone.now())
    return message_out(found)


@router.put(
    "/chats/{uuid:chat_id}/messages/{uuid:message_id}/vote",
    auth=WRITE,
    response=answers(MessageOut),
)
def vote(request: HttpRequest, chat_id: UUID, message_id: UUID, body: VoteIn) -> Any:
    """Give a reply a thumb, with reasons; a second one replaces the first."""
    found = _message(request, chat_id, message_id)
    found.vote = conversations.vote(
        found, body.value, reasons=body.reasons, text=body.text, now=timezone.now()
    )
    return message_out(found)


@router.delete(
    "/chats/{uuid:chat_id}/messages/{uuid:message_id}/vote",
    auth=WRITE,
    response=answers(None, 204),
)
def unvote(request: HttpRequest, chat_id: UUID, message_id: UUID) -> Any:
    """Take the thumb back."""
    conversations.unvote(_message(request, chat_id, message_id))
    return Status(204, None)


@router.post(
    "/chats/{uuid:chat_id}/messages/{uuid:message_id}/report",
    auth=WRITE,
    response=answers(None, 204),
)
def report(request: HttpRequest, chat_id: UUID, message_id: UUID, body: ReportIn) -> Any:
    """Ask the moderators to look at a message."""
    found = _message(request, chat_id, message_id)
    conversations.report(found, _user(request), body.kind, body.text, now=timezone.now())
    return Status(204, None)


def _change(chat: Chat, body: ChatChange) -> None:
    if body.title is not None:
        conversations.rename(chat, body.title)
    if body.archived is not None:
        conversations.archive(chat, body.archived)
    if body.allow_data_use is not None:
        conversations.set_data_use(chat, body.allow_data_use)
    if body.tail is not None:
        conversations.show(chat, conversations.message_of(chat, body.tail))
    if body.model is not None:
        conversations.configure(chat, model=_model(body.model))
    if body.preset:
        values = _preset(chat.user, body.preset)
        conversations.configure(chat, parameters=values, preset=body.preset)
    if body.parameters:
        conversations.configure(chat, parameters=_merged(chat, body.parameters))


def _message(request: HttpRequest, chat_id: UUID, message_id: UUID) -> ChatMessage:
    chat = conversations.of(_user(request), chat_id)
    return conversations.message_of(chat, message_id)


def _model(name: str | None) -> ServedModel | None:
    return None if name is None else catalogue.named(name)


def _preset(user: User, name: str) -> dict[str, Any]:
    found = catalogue.presets_for(user).get(name)
    if found is None:
        raise InvalidSettings(_("preset: there is none of this name"))
    return found.to_dict()


def _merged(chat: Chat, wanted: Parameters) -> dict[str, Any]:
    return {**chat.parameters, **wanted.dict(exclude_unset=True)}


def _asked(prompt: ChatMessage, asked: list[ChatMessage]) -> dict[str, Any]:
    return {"prompt": message_out(prompt), "replies": [message_out(reply) for reply in asked]}
