"""Questions to the tables of the chat, as chainable methods with domain names."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Count, Min, OuterRef, Subquery
from django.db.models.functions import Coalesce, Now

from chat_app.enums import Hold, MessageState

if TYPE_CHECKING:
    from chat_app.models import Chat, ChatMessage, ServedModel  # noqa: F401


class ChatQuerySet(models.QuerySet["Chat"]):
    def of(self, user: Any) -> ChatQuerySet:
        """The conversations that `user` sees: calls of the API are none."""
        return self.filter(user=user, from_api=False)

    def locked(self) -> ChatQuerySet:
        """Lock the rows until the transaction ends. Foreign keys to them stay insertable."""
        return self.select_for_update(of=("self",), no_key=True)

    def newest_first(self) -> ChatQuerySet:
        return self.order_by("-modified_at", "id")


class ChatMessageQuerySet(models.QuerySet["ChatMessage"]):
    def readable(self) -> ChatMessageQuerySet:
        """What is not kept from its reader."""
        return self.exclude(hold=Hold.HELD)

    def waiting(self) -> ChatMessageQuerySet:
        """Replies that no worker has taken, oldest first."""
        return self.filter(state=MessageState.QUEUED).order_by("queued_at", "id")

    def abandoned(self) -> ChatMessageQuerySet:
        """Replies whose worker has not renewed its lease, by the database's clock."""
        return self.filter(state=MessageState.RUNNING, lease_until__lt=Now())

    def unattended(self) -> ChatMessageQuerySet:
        """Replies whose worker is late: most of the lease is gone, and it was renewed in thirds."""
        soon = Now() + timedelta(seconds=settings.CHAT_LEASE_S / 3)
        return self.filter(state=MessageState.RUNNING, lease_until__lt=soon)


class ServedModelQuerySet(models.QuerySet["ServedModel"]):
    def with_queue(self) -> ServedModelQuerySet:
        """With `waiting` replies and since when the `oldest` of them waits."""
        messages = apps.get_model("chat_app", "ChatMessage").objects
        queue = messages.filter(model=OuterRef("pk"), state=MessageState.QUEUED).order_by()
        count = queue.values("model").annotate(n=Count("pk")).values("n")
        oldest = queue.values("model").annotate(first=Min("queued_at")).values("first")
        return self.annotate(waiting=Coalesce(Subquery(count), 0), oldest=Subquery(oldest))

    def on_offer(self) -> ServedModelQuerySet:
        return self.filter(enabled=True)
