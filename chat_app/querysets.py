"""Questions to the tables of the chat, as chainable methods with domain names."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.contrib.postgres.search import SearchHeadline, SearchQuery
from django.db import models
from django.db.models import Case, Count, Exists, Min, OuterRef, Q, Subquery, When
from django.db.models.functions import Coalesce, Length, Now
from django.db.models.lookups import LessThan

from chat_app.enums import Hold, MessageState

if TYPE_CHECKING:
    from chat_app.models import Chat, ChatMessage, ServedModel  # noqa: F401


# Control characters, which nobody types.
HIT_BEGINS, HIT_ENDS = "\x02", "\x03"
SHORT_TEXT = 200


def _messages_with(words: str) -> models.QuerySet[ChatMessage]:
    """What may be read of an outer query's chat and has the words."""
    messages = apps.get_model("chat_app", "ChatMessage").objects.exclude(hold=Hold.HELD)
    query = SearchQuery(words, config="simple")
    return messages.filter(chat=OuterRef("pk"), search_vector=query)


def _headline(words: str, **options: Any) -> SearchHeadline:
    options |= {"config": "simple", "start_sel": HIT_BEGINS, "stop_sel": HIT_ENDS}
    return SearchHeadline("text", SearchQuery(words, config="simple"), **options)


class ChatQuerySet(models.QuerySet["Chat"]):
    def of(self, user: Any) -> ChatQuerySet:
        """The conversations that `user` sees: calls of the API are none."""
        return self.filter(user=user, from_api=False)

    def locked(self) -> ChatQuerySet:
        """Lock the rows until the transaction ends. Foreign keys to them stay insertable."""
        return self.select_for_update(of=("self",), no_key=True)

    def matching(self, words: str) -> ChatQuerySet:
        """Conversations with `words` in the title or in any message."""
        return self.filter(Q(title__icontains=words) | Exists(_messages_with(words)))

    def with_excerpt(self, words: str) -> ChatQuerySet:
        """With `excerpt`: where the first message with `words` has them, or None if none has.

        Each of them stands between HIT_BEGINS and HIT_ENDS.
        """
        # PostgreSQL finds no words around a hit in texts of fewer words than it is to show.
        is_short = LessThan(Length("text"), SHORT_TEXT)
        headline = Case(
            When(is_short, then=_headline(words, highlight_all=True)),
            default=_headline(words, max_words=30, max_fragments=1),
        )
        first = _messages_with(words).order_by("created_at", "id").annotate(headline=headline)
        return self.annotate(excerpt=Subquery(first.values("headline")[:1]))

    def newest_first(self) -> ChatQuerySet:
        return self.order_by("-modified_at", "id")


class ChatMessageQuerySet(models.QuerySet["ChatMessage"]):
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
