"""Puts work on the job queues. Jobs are dotted paths, take ids and may run twice.

Sign-in mails and what follows a submit wait on `default`; jobs that read as much as there is have
the queue `long` and its worker to themselves, so that nobody waits behind them.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial

import django_rq
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from redis import Redis
from redis.exceptions import RedisError
from rq import Retry as JobRetry

from oasst.lib.patience import Once

logger = logging.getLogger(__name__)

MARKER_LIFETIME_S = 600
FAILED_JOB_LIFETIME_S = 7 * 24 * 3600
RETRY_AFTER_S = [10, 60]

_is_silent: ContextVar[bool] = ContextVar("is_silent", default=False)


@contextmanager
def silent() -> Iterator[None]:
    """Queue nothing in this thread: simulated crowds do what jobs would at their own time."""
    token = _is_silent.set(True)
    try:
        yield
    finally:
        _is_silent.reset(token)


@cache
def redis_client() -> Redis:
    """Give the client of requests: it tries twice, a second each, and then lets no page wait for a
    while.
    """
    return Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=1,
        socket_timeout=1,
        retry=Once(),
    )


def enqueue(path: str, *args: object, key: str | None = None, long: bool = False) -> None:
    """Run `path(*args)` once the current transaction commits, on the queue `long` if asked for.

    With `key`, one waiting job is enough: another with the same key is dropped until that one
    starts. Redis being away is not an error: the periodic jobs find the work later.
    """
    if not _is_silent.get():
        transaction.on_commit(partial(enqueue_now, path, *args, key=key, long=long))


def run(path: str, key: str | None, *args: object) -> None:
    """Be the job that a worker runs: from now on another one with the same `key` may wait."""
    if key is not None:
        redis_client().delete(_marker(key))
    job: Callable[..., object] = import_string(path)
    started = time.monotonic()
    job(*args)
    logger.info("job %s took %.3f s", path, time.monotonic() - started)


def enqueue_now(path: str, *args: object, key: str | None = None, long: bool = False) -> None:
    """Do what `enqueue` does without waiting for a transaction, or touching the database."""
    redis = redis_client()
    name = "long" if long else "default"
    queue = django_rq.get_queue(name, commit_mode="auto", connection=redis)
    try:
        if key is not None and not redis.set(_marker(key), 1, nx=True, ex=MARKER_LIFETIME_S):
            return
        queue.enqueue(
            run,
            args=(path, key, *args),
            description=path,  # RQ logs it; arguments can be e-mail addresses
            retry=JobRetry(max=len(RETRY_AFTER_S), interval=RETRY_AFTER_S),
            failure_ttl=FAILED_JOB_LIFETIME_S,
        )
    except RedisError as error:
        logger.warning("job %s was not queued, cron will catch up: %s", path, type(error).__name__)


def _marker(key: str) -> str:
    return f"queue:waiting:{key}"
