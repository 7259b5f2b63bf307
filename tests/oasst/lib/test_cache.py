"""The cache keeps values in a real Valkey and gives way when there is none."""

import uuid

import pytest
from django.conf import settings

from oasst.lib.cache import ForgivingRedisCache


def test_cache_keeps_values() -> None:
    cache = ForgivingRedisCache(settings.REDIS_URL, {})

    cache.set("counts", {"en": 3}, timeout=60)

    assert cache.get("counts") == {"en": 3}
    assert cache.add("counts", 0) is False
    assert cache.delete("counts") is True
    assert cache.get("counts") is None


def test_cache_without_redis_is_an_empty_cache(caplog: pytest.LogCaptureFixture) -> None:
    cache = ForgivingRedisCache(f"unix:///tmp/{uuid.uuid4().hex}.sock", {})

    cache.set("counts", 1)
    cache.set_many({"a": 1})
    cache.delete_many(["a"])

    assert cache.get("counts", "default") == "default"
    assert cache.get_many(["a", "b"]) == {}
    assert cache.get_or_set("counts", lambda: 7) == 7
    assert cache.has_key("counts") is False
    assert cache.touch("counts") is False
    assert "cache is away" in caplog.text
