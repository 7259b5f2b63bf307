"""Chats as tests need them, made through the domain where it has a function for it."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db.models.functions import Now

from chat_app import conversations, replies, workers
from chat_app.enums import MessageState, Role
from chat_app.inference.requests import EngineInfo
from chat_app.models import Chat, ChatMessage, ServedModel, Worker
from oasst.accounts.models import User
from tests.factories import NOW


def served(name: str = "tiny", **fields: Any) -> ServedModel:
    """A model on offer, made when first asked for; the first one is the default."""
    first = not ServedModel.objects.filter(is_default=True).exists()
    columns = {"title": name.title(), "source": name, "is_default": first} | fields
    model, _created = ServedModel.objects.get_or_create(name=name, defaults=columns)
    return model


def chat(user: User, *, now: datetime = NOW, **fields: Any) -> Chat:
    """An empty chat of `user` with the model `tiny`."""
    made = conversations.start(user, model=fields.pop("model", None) or served(), now=now)
    for name, value in fields.items():
        setattr(made, name, value)
    made.save()
    return made


def prompt(
    chat: Chat, text: str = "Why is the sky blue?", *, parent: Any = None, now: datetime = NOW
) -> ChatMessage:
    """What the chat's owner says after `parent`."""
    return conversations.say(chat, chat.user, text, parent=parent, now=now)


def answer(
    prompt: ChatMessage,
    text: str = "Because of Rayleigh scattering.",
    *,
    state: MessageState = MessageState.DONE,
    now: datetime = NOW,
    **fields: Any,
) -> ChatMessage:
    """A reply as it stands in the table after its end, by the chat's model."""
    model = prompt.chat.model
    reply = prompt.chat.messages.create(
        parent=prompt,
        role=Role.ASSISTANT,
        depth=prompt.depth + 1,
        state=state,
        text=text,
        model=model,
        model_name=model.name if model else "",
        parameters=prompt.chat.parameters,
        attempt=1,
        queued_at=now,
        started_at=now,
        finished_at=now + timedelta(seconds=2),
        created_at=now,
        **({"finish_reason": "stop"} if state == MessageState.DONE else {}) | fields,
    )
    prompt.chat.tail = reply
    prompt.chat.save(update_fields=["tail"])
    return reply


def thread(
    user: User, *texts: str, now: datetime = NOW, **fields: Any
) -> tuple[Chat, list[ChatMessage]]:
    """A chat in which prompts and answers alternate, one second apart."""
    made = chat(user, now=now, **fields)
    messages: list[ChatMessage] = []
    for place, text in enumerate(texts or ("Why is the sky blue?", "Because of scattering.")):
        at = now + timedelta(seconds=place)
        last = messages[-1] if messages else None
        if last is None or last.role == Role.ASSISTANT:
            messages.append(prompt(made, text, parent=last, now=at))
        else:
            messages.append(answer(last, text, now=at))
    return made, messages


def worker(model: ServedModel | None = None, **fields: Any) -> Worker:
    """A worker that lives."""
    model = model or served()
    info = EngineInfo(model.name, "none", "cpu", "float32", fields.pop("max_batch", 4), 2048)
    name = fields.pop("name", "host:1")
    made = workers.register(uuid.uuid4(), name, model, info, engine="fake", now=NOW)
    Worker.objects.filter(pk=made.pk).update(**fields)
    return made


def waiting(user: User, count: int = 1, *, now: datetime = NOW) -> list[ChatMessage]:
    """So many replies that wait, each in a chat of its own, a second apart."""
    times = [now + timedelta(seconds=place) for place in range(count)]
    return [replies.request(prompt(chat(user, now=at), now=at), now=at)[0] for at in times]


def running(user: User, by: Worker | None = None) -> tuple[ChatMessage, replies.Claim]:
    """A reply that a worker writes, and its claim."""
    (reply,) = waiting(user)
    by = by or worker(reply.model)
    claim = replies.claim(by.model, by, now=NOW)
    assert claim is not None
    assert claim.reply_id == reply.pk
    reply.refresh_from_db()
    return reply, claim


def abandon(*found: ChatMessage) -> None:
    """Let the leases run out, as when the worker was killed."""
    ids = [reply.pk for reply in found]
    ChatMessage.objects.filter(pk__in=ids).update(lease_until=Now() - timedelta(seconds=1))
