"""Limits are counted in a real Valkey."""

import uuid
from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from oasst.lib import queue, ratelimit


def hit(key: str, scope: str = "submit") -> ratelimit.Allowance:
    return ratelimit.hit(scope, key, limit=2, window_s=60)


def test_hits_up_to_the_limit_are_allowed_and_the_next_says_when_to_return() -> None:
    assert [hit("alice").allowed, hit("alice").allowed] == [True, True]

    refused = hit("alice")

    assert not refused.allowed
    assert 0 < refused.retry_after_s <= 60


def test_another_key_and_another_scope_have_counts_of_their_own() -> None:
    for _ in range(3):
        hit("alice")

    assert hit("bob").allowed
    assert hit("alice", scope="login").allowed


def test_a_refused_hit_does_not_prolong_the_window() -> None:
    for _ in range(3):
        hit("alice")
    name = queue.redis_client().keys("ratelimit:*")[0]
    queue.redis_client().expire(name, 5)

    assert hit("alice").retry_after_s <= 5


def test_keys_are_not_readable_in_redis() -> None:
    hit("alice@example.com")

    assert not any(b"alice" in name for name in queue.redis_client().keys("*"))


@pytest.fixture
def redis_away(settings: Settings) -> Iterator[None]:
    settings.REDIS_URL = f"unix:///tmp/{uuid.uuid4().hex}.sock"
    queue.redis_client.cache_clear()
    yield
    queue.redis_client.cache_clear()


@pytest.mark.usefixtures("redis_away")
def test_without_redis_everything_is_allowed() -> None:
    assert all(hit("alice").allowed for _ in range(5))
