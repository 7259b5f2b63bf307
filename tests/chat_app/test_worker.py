"""The worker's process: RQ wakes it, SIGTERM ends it in order, Redis may forget it."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from rq import Queue

from chat_app import replies, waking
from chat_app.enums import MessageState
from chat_app.models import ChatMessage, ServedModel, Worker
from chat_app.worker import InferenceWorker
from oasst.accounts.models import User
from oasst.lib.queue import redis_client
from tests.chat_app import given
from tests.chat_app.faults.stack import Stack

pytestmark = pytest.mark.django_db(transaction=True)

S = MessageState
MODEL = "tiny"


def queue() -> Queue:
    return Queue(waking.queue_name(MODEL), connection=redis_client())


def burst(on_job: Callable[[], None]) -> None:
    """Let RQ take what waits in this model's queue."""
    # A connection of its own, as the process has: RQ changes its timeouts.
    own = Queue(queue().name, connection=type(redis_client()).from_url(settings.REDIS_URL))
    InferenceWorker(own, on_job=on_job).work(burst=True, logging_level="ERROR")


def test_a_request_wakes_the_workers_of_its_model(alice: User) -> None:
    woken = []
    given.waiting(alice)
    assert queue().count == 1

    burst(lambda: woken.append(MODEL))

    assert (woken, queue().count) == ([MODEL], 0)


def test_wake_ups_that_nobody_hears_do_not_pile_up(alice: User) -> None:
    for _number in range(20):
        waking.wake(MODEL)

    assert queue().count == waking.MAX_WAITING


def test_jobs_leave_nothing_behind(alice: User) -> None:
    for _number in range(5):
        waking.wake(MODEL)

    burst(lambda: None)

    assert redis_client().keys("rq:job:*") == []
    assert redis_client().keys("rq:wip:*") == []


def test_a_reply_is_asked_for_also_while_redis_is_away(alice: User, settings: Any) -> None:
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    redis_client.cache_clear()
    try:
        (reply,) = given.waiting(alice)
    finally:
        redis_client.cache_clear()

    assert reply.state == S.QUEUED


# The process itself


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stack]:
    given.served(MODEL)
    options = ["--model", MODEL, "--engine", "fake", "--max-batch", "2", "--drain-s", "0.5"]
    running = Stack(tmp_path, worker_options=options)
    try:
        running.run("valkey")
        running.run("worker-1")
        running.wait_for_workers(1)
        yield running
    finally:
        running.stop()


def ask(user: User, text: str) -> ChatMessage:
    """Ask without a wake-up: the worker of the test has another Redis."""
    return replies.request(given.prompt(given.chat(user), text), now=timezone.now())[0]


def until(reply: ChatMessage, *states: MessageState, patience_s: float = 10) -> float:
    """Wait for one of the states; seconds it took."""
    started = time.monotonic()
    while reply.state not in states:
        assert time.monotonic() - started < patience_s, reply.state
        time.sleep(0.02)
        reply.refresh_from_db()
    return time.monotonic() - started


@pytest.mark.slow
def test_a_process_takes_weights_survives_redis_and_ends_in_order(site: Stack, alice: User) -> None:
    check_new_weights(site, alice)
    check_stop_without_redis(site, alice)
    check_end_in_order(site, alice)


def check_stop_without_redis(site: Stack, alice: User) -> None:
    long = ask(alice, "!long 5000")
    until(long, S.RUNNING)
    site.kill("valkey")
    replies.stop(long.pk, now=timezone.now())
    assert until(long, S.STOPPED) < 1


def check_end_in_order(site: Stack, alice: User) -> None:
    again = ask(alice, "!long 5000")
    until(again, S.RUNNING)
    process = site.process("worker-1")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0

    again.refresh_from_db()
    assert (again.state, again.losses, again.worker) == (S.QUEUED, 0, None)
    assert not Worker.objects.filter(stopped_at=None).exists()


@pytest.mark.slow
def test_a_second_signal_ends_a_process_at_once(site: Stack, alice: User, tmp_path: Path) -> None:
    reply = ask(alice, "!hang")
    until(reply, S.RUNNING)
    process: subprocess.Popen[bytes] = site.process("worker-1")

    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)

    assert process.wait(10) == 0
    reply.refresh_from_db()
    assert reply.state == S.QUEUED


def check_new_weights(site: Stack, alice: User) -> None:
    long = ask(alice, "!long 40")
    until(long, S.RUNNING)

    ServedModel.objects.filter(name=MODEL).update(source="better", promoted_at=timezone.now())
    until(long, S.DONE)
    site.wait_for_workers(1)
    after = ask(alice, "Hello")
    until(after, S.DONE)

    old, new = Worker.objects.order_by("started_at")
    assert (long.attempt, after.attempt) == (1, 1)
    assert after.text == "You said: Hello"
    assert old.stopped_at is not None
    assert new.stopped_at is None
    assert old.name == new.name  # the same process
    assert site.process("worker-1").poll() is None
