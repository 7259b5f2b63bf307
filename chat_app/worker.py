"""The process of an inference worker: an RQ worker that does not fork, beside the desk.

RQ jobs only wake the desk. RQ runs in a thread of its own, so Redis may come and go.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.utils import timezone
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.timeouts import TimerDeathPenalty

from chat_app import engines, streams, workers
from chat_app.desk import Desk
from chat_app.engines import Wish
from chat_app.inference.requests import Engine, EngineError
from chat_app.models import ServedModel
from chat_app.waking import queue_name

logger = logging.getLogger(__name__)

RECONNECT_AFTER_S = 1.0


class InferenceWorker(SimpleWorker):
    """Takes the jobs of one model and passes each on as a wake-up."""

    # The default one needs signals, which only the main thread gets.
    death_penalty_class = TimerDeathPenalty
    max_connection_wait_time = 5.0

    def __init__(self, queue: Queue, *, on_job: Callable[[], object]) -> None:
        super().__init__([queue], name=worker_name(), connection=queue.connection, worker_ttl=60)
        self._on_job = on_job

    def execute_job(self, job: Job, queue: Queue) -> None:
        self._on_job()
        super().execute_job(job, queue)

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Beat; after Redis was flushed, register again first."""
        if pipeline is None and not self.connection.exists(self.key):
            self.register_birth()
        super().heartbeat(timeout, pipeline)

    def _install_signal_handlers(self) -> None:
        """The event loop has them."""

    def subscribe(self) -> None:
        """Nobody commands this worker through Redis; its jobs last no time."""


def worker_name() -> str:
    return f"inference-{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"


Build = Callable[[Sequence[ServedModel], Wish], Engine]


def run(model: ServedModel, wish: Wish, *, drain_s: float, build: Build = engines.build) -> None:
    """Be a worker of `model`, and of those that share its base, until SIGTERM or SIGINT; when other
    weights are promoted under one of their names, finish what is begun and go on with those.

    Raises EngineError if it cannot load.
    """
    asyncio.run(_Shifts(wish, drain_s, build).work(model))


class _Shifts:
    """One engine after the other, each with the weights that are on offer when it begins, and a
    desk for each model that it writes for."""

    def __init__(self, wish: Wish, drain_s: float, build: Build) -> None:
        self._wish, self._drain_s, self._build = wish, drain_s, build
        self._desks: list[Desk] = []
        self._heard: set[str] = set()
        self._is_over = False

    async def work(self, model: ServedModel) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        try:
            wanted: ServedModel | None = model
            while wanted is not None and await self._shift(wanted):
                wanted = await asyncio.to_thread(_again, wanted)
        finally:
            await streams.close()

    async def _shift(self, model: ServedModel) -> bool:
        """Write until the end; True if a model was replaced meanwhile, or another joins."""
        models = await asyncio.to_thread(_sharing, model, self._wish)
        engine = self._build(models, self._wish)
        await engine.start()
        try:
            writing = [each for each in models if _can_write(engine, each, self._wish)]
            if model not in writing:
                raise EngineError(f"{model.name}: its adapter cannot be put on {model.base}.")
            self._desks = [await self._open(engine, each, models) for each in writing]
            if self._is_over:
                self._close()
            async with asyncio.TaskGroup() as group:
                for desk in self._desks:
                    group.create_task(desk.run())
        finally:
            await engine.stop()
        return any(desk.is_outdated for desk in self._desks) and not self._is_over

    async def _open(
        self, engine: Engine, model: ServedModel, models: Sequence[ServedModel]
    ) -> Desk:
        if model.name not in self._heard:
            self._heard.add(model.name)
            loop = asyncio.get_running_loop()
            _Ear(model.name, partial(loop.call_soon_threadsafe, self._wake)).start()
        kind = engines.kind_of(model, self._wish)
        worker = await asyncio.to_thread(_register, engine, model, kind)
        logger.info("worker %s writes for %s, %d at once", worker, model.name, worker.max_batch)
        has_changed = partial(engines.have_changed, models, self._wish)
        return Desk(engine, model, worker, drain_s=self._drain_s, has_changed=has_changed)

    def _wake(self) -> None:
        for desk in self._desks:
            desk.wake()

    def _end(self) -> None:
        self._is_over = True
        self._close()

    def _close(self) -> None:
        for desk in self._desks:
            desk.end()


def _sharing(model: ServedModel, wish: Wish) -> list[ServedModel]:
    try:
        return engines.sharing(model, wish)
    finally:
        connection.close()


def _can_write(engine: Engine, model: ServedModel, wish: Wish) -> bool:
    is_adapter = bool(model.base) and engines.kind_of(model, wish) == "transformers"
    return not is_adapter or model.name in engine.info.adapters


def _again(model: ServedModel) -> ServedModel | None:
    try:
        return ServedModel.objects.filter(pk=model.pk).first()
    finally:
        connection.close()


def _register(engine: Engine, model: ServedModel, engine_name: str) -> workers.Worker:
    try:
        name = f"{socket.gethostname()}:{os.getpid()}"
        return workers.register(
            uuid4(), name, model, engine.info, engine=engine_name, now=timezone.now()
        )
    finally:
        connection.close()


class _Ear(threading.Thread):
    """Listens to the model's RQ queue, and again when Redis was away; ends with the process."""

    def __init__(self, model_name: str, on_job: Callable[[], object]) -> None:
        super().__init__(name="rq", daemon=True)
        self._queue_name = queue_name(model_name)
        self._on_job = on_job

    def run(self) -> None:
        while True:
            try:
                # A connection of its own: RQ waits on it for longer than a page may.
                queue = Queue(self._queue_name, connection=Redis.from_url(settings.REDIS_URL))
                InferenceWorker(queue, on_job=self._on_job).work(logging_level="WARNING")
            except RedisError as error:
                logger.warning("the queue is away: %s", type(error).__name__)
            time.sleep(RECONNECT_AFTER_S)
