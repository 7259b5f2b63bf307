"""Questions to the tables of the chat, as chainable methods with domain names."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models

from chat_app.enums import MessageState

if TYPE_CHECKING:
    from chat_app.models import Chat, ChatMessage, ServedModel  # noqa: F401


class ChatQuerySet(models.QuerySet["Chat"]):
    def of(self, user: Any) -> ChatQuerySet:
        """The conversations that `user` sees: calls of the API are none."""
        return self.filter(user=user, from_api=False)

    def newest_first(self) -> ChatQuerySet:
        return self.order_by("-modified_at", "id")


class ChatMessageQuerySet(models.QuerySet["ChatMessage"]):
    def waiting(self) -> ChatMessageQuerySet:
        """Replies that no worker has taken, oldest first."""
        return self.filter(state=MessageState.QUEUED).order_by("queued_at", "id")

    def abandoned(self, *, now: datetime) -> ChatMessageQuerySet:
        """Replies whose worker has not renewed its lease."""
        return self.filter(state=MessageState.RUNNING, lease_until__lt=now)


class ServedModelQuerySet(models.QuerySet["ServedModel"]):
    def on_offer(self) -> ServedModelQuerySet:
        return self.filter(enabled=True)
