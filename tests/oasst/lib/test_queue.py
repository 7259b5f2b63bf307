"""Jobs go to a real Valkey and a real worker takes them."""

import logging
import uuid
from collections.abc import Iterator

import django_rq
import pytest
from django.db import transaction
from pytest_django.fixtures import Settings
from rq import SimpleWorker

from oasst.lib import queue

pytestmark = pytest.mark.slow

JOB = "tests.oasst.lib.test_queue.note"
FAILING_JOB = "tests.oasst.lib.test_queue.fail"
NOTES: list[tuple[object, ...]] = []


def note(*args: object) -> None:
    NOTES.append(args)


def note_and_ask_again(key: str) -> None:
    note(key)
    if len(NOTES) < 2:
        queue.enqueue_now("tests.oasst.lib.test_queue.note_and_ask_again", key, key=key)


def fail() -> None:
    raise ValueError("on purpose")


@pytest.fixture(autouse=True)
def _waiting_queue(settings: Settings) -> Iterator[None]:
    """A queue that keeps its jobs until a worker comes."""
    settings.RQ = {}
    limits_s = {"default": 60, "long": 3600}
    settings.RQ_QUEUES = {
        name: {"URL": settings.REDIS_URL, "DEFAULT_TIMEOUT": limit}
        for name, limit in limits_s.items()
    }
    NOTES.clear()
    yield
    NOTES.clear()


@pytest.fixture
def redis_away(settings: Settings) -> Iterator[None]:
    settings.REDIS_URL = f"unix:///tmp/{uuid.uuid4().hex}.sock"
    queue.redis_client.cache_clear()
    yield
    queue.redis_client.cache_clear()


def waiting() -> int:
    return django_rq.get_queue("default").count


def work() -> None:
    django_rq.get_worker("default", worker_class=SimpleWorker).work(burst=True)


@pytest.mark.django_db(transaction=True)
def test_enqueue_waits_for_the_commit() -> None:
    with transaction.atomic():
        queue.enqueue(JOB, "alice", 1)
        assert waiting() == 0

    work()

    assert NOTES == [("alice", 1)]


@pytest.mark.django_db(transaction=True)
def test_enqueue_forgets_the_job_of_a_transaction_that_failed() -> None:
    with transaction.atomic():
        queue.enqueue(JOB, "alice")
        transaction.set_rollback(True)

    assert waiting() == 0


@pytest.mark.django_db(transaction=True)
def test_enqueue_in_silence_drops_the_job() -> None:
    with queue.silent():
        queue.enqueue(JOB, "simulated")
    queue.enqueue(JOB, "real")

    work()

    assert NOTES == [("real",)]


def test_long_job_waits_on_a_queue_of_its_own_with_more_time() -> None:
    queue.enqueue_now(JOB, "large", long=True)
    queue.enqueue_now(JOB, "mail")

    work()
    (job,) = django_rq.get_queue("long").jobs
    django_rq.get_worker("long", worker_class=SimpleWorker).work(burst=True)

    assert job.timeout == 3600
    assert NOTES == [("mail",), ("large",)]


def test_enqueue_with_a_key_keeps_one_waiting_job() -> None:
    for _ in range(3):
        queue.enqueue_now(JOB, "tree", key="tree-1")
    queue.enqueue_now(JOB, "other", key="tree-2")

    work()

    assert NOTES == [("tree",), ("other",)]


def test_enqueue_with_a_key_takes_another_once_the_first_has_started() -> None:
    queue.enqueue_now("tests.oasst.lib.test_queue.note_and_ask_again", "tree-1", key="tree-1")

    work()

    assert NOTES == [("tree-1",), ("tree-1",)]


def test_a_job_that_fails_is_tried_again_later_and_does_not_block_its_key() -> None:
    queue.enqueue_now(FAILING_JOB, key="failing")

    work()

    jobs = django_rq.get_queue("default")
    assert jobs.scheduled_job_registry.count == 1
    assert queue.redis_client().keys("queue:waiting:*") == []


@pytest.mark.usefixtures("redis_away")
def test_enqueue_without_redis_warns_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        queue.enqueue_now(JOB, "alice@example.com", key="key")

    assert "cron will catch up" in caplog.text
    assert "alice@example.com" not in caplog.text
