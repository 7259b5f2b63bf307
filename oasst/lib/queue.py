"""Puts work on the job queue. Jobs are dotted paths, take ids and may run twice."""

import logging
from functools import partial

import django_rq
from django.db import transaction
from redis.exceptions import RedisError
from rq.exceptions import DuplicateJobError

logger = logging.getLogger(__name__)


def enqueue(path: str, *args: object, key: str | None = None) -> None:
    """Run `path(*args)` on the `default` queue once the current transaction commits.

    With `key`, one waiting job is enough: another with the same key is dropped until that one has
    run. Redis being away is not an error: the periodic jobs find the work later.
    """
    transaction.on_commit(partial(_put, path, args, key))


def _put(path: str, args: tuple[object, ...], key: str | None) -> None:
    try:
        queue = django_rq.get_queue("default", commit_mode="auto")
        if key is None:
            queue.enqueue(path, args=args)
        else:
            queue.enqueue(path, args=args, job_id=key, unique=True)
    except DuplicateJobError:
        logger.debug("job %s is waiting already", key)
    except RedisError as error:
        logger.warning("job %s was not queued, cron will catch up: %s", path, type(error).__name__)
