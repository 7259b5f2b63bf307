"""Answers of `/metrics`, for Prometheus: what waits and since when, and what requests took.

The figures of requests come from django-prometheus's middlewares, those of the queues are read when
somebody asks.
"""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from ipaddress import ip_address
from typing import Any, NamedTuple

import django_rq
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.db.models import Count, Min, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from redis.exceptions import RedisError
from rq import Queue

from chat_app import workers
from chat_app.models import ChatMessage
from oasst.accounts import magic_link
from oasst.lib.queue import redis_client
from tasks_app import queue_health
from tasks_app.enums import UNFINISHED, ReportState
from tasks_app.models import BulkAction, Message, Report
from training.enums import RequestState, RunState
from training.models import SnapshotRequest, TrainingRun


class Waiting(NamedTuple):
    """Items of one queue that nobody has taken, and since when the oldest waits."""

    queue: str
    kind: str
    count: int
    since: datetime | None


def _jobs(now: datetime) -> Iterator[Waiting]:
    for name in settings.RQ_QUEUES:
        queue = django_rq.get_queue(name, connection=redis_client())
        yield Waiting("jobs", name, queue.count, _first_queued(queue))


def _first_queued(queue: Queue) -> datetime | None:
    jobs = queue.get_jobs(0, 1)
    return jobs[0].enqueued_at if jobs else None


def _failed_jobs(now: datetime) -> Iterator[Waiting]:
    for name in settings.RQ_QUEUES:
        queue = django_rq.get_queue(name, connection=redis_client())
        yield Waiting("failed jobs", name, queue.failed_job_registry.count, None)


def _tasks(now: datetime) -> Iterator[Waiting]:
    found = queue_health.queues(now=now)
    for kind in {queue.kind for queue in found}:
        alike = [queue for queue in found if queue.kind == kind]
        slots, since = sum(queue.slots for queue in alike), min(queue.since for queue in alike)
        yield Waiting("tasks", kind, slots, since)


def _rows(now: datetime) -> Iterator[Waiting]:
    runs = TrainingRun.objects.filter(state=RunState.QUEUED)
    snapshots = SnapshotRequest.objects.filter(state=RequestState.QUEUED)
    reports = Report.objects.filter(state=ReportState.OPEN)
    held = Message.objects.held().filter(deleted=False)
    bulk_actions = BulkAction.objects.filter(state__in=UNFINISHED)
    mails = magic_link.waiting_to_be_sent(now=now)
    yield from _by_kind("replies", ChatMessage.objects.waiting(), "model__name", "queued_at")
    yield from _by_kind("training runs", runs, "stage", "queued_at")
    yield _in_all("snapshots", "", snapshots, "asked_at")
    yield from _by_kind("reports", reports, "category", "created_at")
    yield _in_all("held messages", "", held, "created_at")
    yield from _by_kind("bulk actions", bulk_actions, "kind", "created_at")
    yield _in_all("mails", "sign-in", mails, "created_at")


def _by_kind(queue: str, rows: QuerySet[Any], kind: str, since: str) -> Iterator[Waiting]:
    """What waits of each kind that there is; `kind` and `since` name columns."""
    counted = rows.order_by().values_list(kind).annotate(n=Count("pk"), since=Min(since))
    for name, count, oldest in counted:
        yield Waiting(queue, name or "", count, oldest)


def _in_all(queue: str, kind: str, rows: QuerySet[Any], since: str) -> Waiting:
    """What waits in a queue that has one kind, though it be nothing."""
    found = rows.aggregate(n=Count("pk"), since=Min(since))
    return Waiting(queue, kind, found["n"], found["since"])


Source = Callable[[datetime], Iterable[Waiting]]
IN_REDIS: tuple[Source, ...] = (_jobs, _failed_jobs)
IN_DATABASE: tuple[Source, ...] = (_tasks, _rows)


class Site(Collector):
    """Reads the queues. What is away is said, and its figures are missing then."""

    def collect(self) -> Iterator[Metric]:
        """Yield one family of gauges after the other, as the library asks for them."""
        now = timezone.now()
        up = GaugeMetricFamily("oasst_up", "1 if it answers.", labels=["service"])
        found: list[Waiting] = []
        answers = {"redis": (IN_REDIS, RedisError), "database": (IN_DATABASE, DatabaseError)}
        for service, (sources, error) in answers.items():
            try:
                found += [waiting for source in sources for waiting in source(now)]
                up.add_metric([service], 1)
            except error:
                up.add_metric([service], 0)
        yield up
        yield from _queues(found, now)
        try:
            yield from _workers(now)
        except DatabaseError:
            return


def _queues(found: list[Waiting], now: datetime) -> Iterator[Metric]:
    labels = ["queue", "kind"]
    counts = GaugeMetricFamily("oasst_waiting", "Items that nobody has taken.", labels=labels)
    ages = GaugeMetricFamily(
        "oasst_oldest_waiting_seconds", "How long the oldest of them has waited.", labels=labels
    )
    for queue, kind, count, since in found:
        counts.add_metric([queue, kind], count)
        age = (now - since).total_seconds() if since else 0.0
        ages.add_metric([queue, kind], max(0.0, age))
    yield counts
    yield ages


def _workers(now: datetime) -> Iterator[Metric]:
    alive = GaugeMetricFamily("oasst_inference_workers", "That live.", labels=["model"])
    running = GaugeMetricFamily("oasst_replies_running", "Being written.", labels=["model"])
    speed = GaugeMetricFamily("oasst_tokens_per_second", "Written now.", labels=["model"])
    rows = workers.alive(now=now).order_by().values_list("model__name")
    for model, count, replies, tokens_per_s in rows.annotate(
        Count("pk"), Sum("running"), Sum("tokens_per_s")
    ):
        alive.add_metric([model], count)
        running.add_metric([model], replies)
        speed.add_metric([model], tokens_per_s)
    yield from (alive, running, speed)


SITE = CollectorRegistry()
SITE.register(Site())


@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For whoever has METRICS_TOKEN; without one, for programs on the same machine."""
    if not _may_read(request):
        raise PermissionDenied
    body = generate_latest(_of_requests()) + generate_latest(SITE)
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)


def _of_requests() -> CollectorRegistry:
    """What was counted here; where several processes serve one port, what all of them did."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)
    return together


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return secrets.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    # A proxy on the same machine speaks for others.
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
