"""Wakes the workers of a model: a job on its RQ queue, which says only "look into the table"."""

import logging

from redis.exceptions import RedisError
from rq import Queue

from oasst.lib.queue import redis_client

logger = logging.getLogger(__name__)

# Jobs that wake nobody, because all workers are away, shall not pile up.
MAX_WAITING = 8
JOB_LIFETIME_S = 300


def queue_name(model_name: str) -> str:
    return f"inference:{model_name}"


def wake(model_name: str) -> None:
    """Let a worker look for replies to write; if this gets lost they look by themselves."""
    queue = Queue(queue_name(model_name), connection=redis_client())
    try:
        if queue.count < MAX_WAITING:
            queue.enqueue(
                "chat_app.jobs.wake",
                model_name,
                description=f"wake {model_name}",
                ttl=JOB_LIFETIME_S,
                result_ttl=0,
                failure_ttl=JOB_LIFETIME_S,
            )
    except RedisError as error:
        logger.warning("workers of %s were not woken: %s", model_name, type(error).__name__)
