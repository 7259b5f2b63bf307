"""Counts actions in Redis and says when somebody does too much. Fails open: no Redis, no limit."""

import hashlib
import logging
from dataclasses import dataclass

from redis.exceptions import RedisError

from oasst.lib.queue import redis_client

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Allowance:
    allowed: bool
    retry_after_s: int = 0


def hit(scope: str, key: str, *, limit: int, window_s: int) -> Allowance:
    """Count one action of `key` in `scope`; at most `limit` are allowed in `window_s` seconds."""
    name = f"ratelimit:{scope}:{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    try:
        with redis_client().pipeline(transaction=True) as pipeline:
            pipeline.incr(name)
            pipeline.expire(name, window_s, nx=True)
            pipeline.ttl(name)
            count, _, ttl = pipeline.execute()
    except RedisError as error:
        logger.warning("rate limit %s is not checked: %s", scope, type(error).__name__)
        return Allowance(allowed=True)
    if count <= limit:
        return Allowance(allowed=True)
    return Allowance(allowed=False, retry_after_s=max(1, ttl))
