"""Who writes replies: each worker describes itself in a row and beats while it lives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Now

from chat_app.inference.requests import EngineInfo
from chat_app.models import ServedModel, Worker

# A worker that has not beaten for so long is taken for dead.
ALIVE = timedelta(seconds=20)
KEEP = timedelta(days=1)


@dataclass(frozen=True)
class Crew:
    """The living workers of one model together."""

    count: int
    slots: int
    running: int
    tokens_per_s: float

    @property
    def free_slots(self) -> int:
        return max(0, self.slots - self.running)


def register(
    worker_id: UUID,
    name: str,
    model: ServedModel,
    info: EngineInfo,
    *,
    engine: str,
    now: datetime,
) -> Worker:
    """Write down a worker that begins."""
    return Worker.objects.create(
        id=worker_id,
        name=name,
        model=model,
        engine=engine,
        quantization=info.quantization,
        device=info.device[:100],
        dtype=info.dtype,
        max_batch=info.max_batch,
        max_context=info.max_context,
        started_at=now,
        heartbeat_at=Now(),
    )


def beat(worker_id: UUID, *, running: int, tokens_per_s: float) -> None:
    """Say that the worker lives, by the database's clock."""
    Worker.objects.filter(pk=worker_id).update(
        heartbeat_at=Now(), running=running, tokens_per_s=tokens_per_s
    )


def is_replaced(model: ServedModel) -> bool:
    """Whether other weights were put on offer under this name since `model` was read."""
    now = ServedModel.objects.filter(pk=model.pk).values_list("source", "promoted_at").first()
    return now is not None and now != (model.source, model.promoted_at)


def leave(worker_id: UUID, *, now: datetime) -> None:
    """Say that the worker has ended in order."""
    Worker.objects.filter(pk=worker_id).update(stopped_at=now, running=0)


def alive(*, now: datetime) -> QuerySet[Worker]:
    """The workers that beat."""
    return Worker.objects.filter(stopped_at=None, heartbeat_at__gt=now - ALIVE)


def crew(model_id: int, *, now: datetime) -> Crew:
    """What the living workers of a model can do."""
    sums = (
        alive(now=now)
        .filter(model_id=model_id)
        .aggregate(
            count=Count("pk"),
            slots=Sum("max_batch", default=0),
            running=Sum("running", default=0),
            tokens_per_s=Sum("tokens_per_s", default=0.0),
        )
    )
    return Crew(**sums)


def forget_old() -> int:
    """Remove the rows of workers that ended a day ago."""
    gone, _details = Worker.objects.filter(heartbeat_at__lt=Now() - KEEP).delete()
    return gone
