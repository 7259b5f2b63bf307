"""The Redis cache that gives way: with Redis away it is an empty cache and no page fails."""

import logging
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

from oasst.lib.patience import Once

logger = logging.getLogger(__name__)
PATIENCE: dict[str, Any] = {"socket_connect_timeout": 1, "socket_timeout": 1}


def _try(call: Callable[..., Any], *args: Any, otherwise: Any = None) -> Any:
    try:
        return call(*args)
    except RedisError as error:
        logger.warning("cache is away: %s", type(error).__name__)
        return otherwise


class _Client(RedisCacheClient):
    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, retry=Once(), **PATIENCE, **options)

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return _try(super().add, key, value, timeout, otherwise=True)

    def get(self, key: Any, default: Any) -> Any:
        return _try(super().get, key, default, otherwise=default)

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        _try(super().set, key, value, timeout)

    def touch(self, key: Any, timeout: Any) -> bool:
        return _try(super().touch, key, timeout, otherwise=False)

    def delete(self, key: Any) -> bool:
        return _try(super().delete, key, otherwise=False)

    def get_many(self, keys: Any) -> dict[Any, Any]:
        return _try(super().get_many, keys, otherwise={})

    def set_many(self, data: Any, timeout: Any) -> None:
        _try(super().set_many, data, timeout)

    def delete_many(self, keys: Any) -> None:
        _try(super().delete_many, keys)

    def has_key(self, key: Any) -> bool:
        return _try(super().has_key, key, otherwise=False)


class ForgivingRedisCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _Client
