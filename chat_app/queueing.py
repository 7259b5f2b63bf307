"""Whose reply comes next: round-robin by person, oldest first for each of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import Avg, F
from django.db.models.functions import Now

from chat_app import workers
from chat_app.enums import MessageState
from chat_app.models import ChatMessage, QueueTurn, ServedModel

T = TypeVar("T")

RECENT = 20


@dataclass(frozen=True)
class QueuePlace:
    """Where a waiting reply stands, from 1; seconds until it begins, None if nobody can say."""

    position: int
    size: int
    eta_s: float | None
    has_worker: bool


def next_reply(model: ServedModel) -> ChatMessage | None:
    """The reply to write next, locked until the transaction ends; its person's turn is taken.

    A person who has as many running as allowed is passed over. None also if another worker was
    faster: it is worth asking again later.
    """
    people = _waiting_people(model)
    turn = _lock_turn(people, wait=False) or _lock_turn(people, wait=True)
    if turn is None or _running([turn.user_id])[turn.user_id] >= settings.CHAT_RUNNING_PER_USER:
        return None
    waiting = ChatMessage.objects.waiting().filter(model=model, chat__user_id=turn.user_id)
    reply = waiting.select_for_update(of=("self",), skip_locked=True).first()
    if reply is not None:
        QueueTurn.objects.filter(pk=turn.pk).update(served_at=Now())
    return reply


def _waiting_people(model: ServedModel) -> list[UUID]:
    people = (
        ChatMessage.objects.filter(state=MessageState.QUEUED, model=model)
        .order_by()
        .values_list("chat__user_id", flat=True)
        .distinct()
    )
    running = _running(list(people))
    return [person for person in people if running[person] < settings.CHAT_RUNNING_PER_USER]


def _running(people: Sequence[UUID]) -> Counter[UUID]:
    if not people:
        return Counter()
    rows = ChatMessage.objects.filter(state=MessageState.RUNNING, chat__user_id__in=people)
    return Counter(rows.values_list("chat__user_id", flat=True))


def _lock_turn(people: Sequence[UUID], *, wait: bool) -> QueueTurn | None:
    """Lock the turn of who was served longest ago; without waiting, of those nobody serves now."""
    if not people:
        return None
    turns = QueueTurn.objects.filter(user_id__in=people)
    turns = turns.order_by(F("served_at").asc(nulls_first=True), "user_id")
    return turns.select_for_update(skip_locked=not wait).first()


@dataclass(frozen=True)
class Line:
    """What waits for one model, at places from 1 in the order of taking, and who takes it."""

    places: Mapping[UUID, int]
    crew: workers.Crew
    usual_tokens: float | None

    def place(self, reply_id: UUID) -> QueuePlace | None:
        """Where a reply stands; None if it does not wait."""
        position = self.places.get(reply_id)
        if position is None:
            return None
        eta_s = estimate_s(position, self.crew, self.usual_tokens)
        return QueuePlace(position, len(self.places), eta_s, has_worker=self.crew.count > 0)


def line(model_id: int, *, now: datetime) -> Line:
    """Look at the whole queue of a model. Four queries."""
    rows = ChatMessage.objects.waiting().filter(model_id=model_id)
    waiting = list(rows.values_list("pk", "chat__user_id"))
    people = {person for _id, person in waiting}
    served = dict(QueueTurn.objects.filter(user_id__in=people).values_list("user_id", "served_at"))
    places = {pk: number for number, pk in enumerate(in_turn(waiting, served), start=1)}
    return Line(places, workers.crew(model_id, now=now), _usual_tokens(model_id))


def queue_places(replies: Iterable[ChatMessage], *, now: datetime) -> dict[UUID, QueuePlace]:
    """Where the replies stand that wait. Four queries for each model among them."""
    waiting = [reply for reply in replies if reply.state == MessageState.QUEUED]
    models = {reply.model_id for reply in waiting if reply.model_id is not None}
    lines = [line(model_id, now=now) for model_id in models]
    found = ((reply.pk, each.place(reply.pk)) for reply in waiting for each in lines)
    return {reply_id: place for reply_id, place in found if place is not None}


def in_turn(waiting: Iterable[tuple[T, UUID]], served: Mapping[UUID, datetime | None]) -> list[T]:
    """Order what waits (each with its person, oldest first) as it will be taken. Pure."""
    lines: dict[UUID, list[T]] = defaultdict(list)
    for item, person in waiting:
        lines[person].append(item)
    people = sorted(lines, key=lambda person: _served_key(served.get(person), person))
    longest = max((len(line) for line in lines.values()), default=0)
    return [lines[p][turn] for turn in range(longest) for p in people if turn < len(lines[p])]


def _served_key(served_at: datetime | None, person: UUID) -> tuple[float, UUID]:
    return (served_at.timestamp() if served_at else 0.0, person)


def estimate_s(position: int, crew: workers.Crew, usual_tokens: float | None) -> float | None:
    """Seconds until the reply at `position` begins, from what the workers wrote lately. Pure."""
    if position <= crew.free_slots:
        return 0.0
    if not crew.tokens_per_s or not usual_tokens:
        return None
    return round((position - crew.free_slots) * usual_tokens / crew.tokens_per_s, 1)


def _usual_tokens(model_id: int) -> float | None:
    """Tokens of an average reply of late."""
    ended = ChatMessage.objects.filter(model_id=model_id, completion_tokens__gt=0)
    recent = ended.order_by("-finished_at")[:RECENT]
    return recent.aggregate(mean=Avg("completion_tokens"))["mean"]
