"""A worker's desk: writes many replies at once, stops them, loses them, hands them back."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from chat_app import conversations, desk, replies, streams, workers
from chat_app.desk import Desk
from chat_app.enums import MessageState
from chat_app.inference.fake import Fail, FakeEngine, Hang
from chat_app.inference.requests import EngineError, RequestTooLarge
from chat_app.models import ChatMessage, ServedModel, Worker
from oasst.accounts.models import User
from oasst.lib.queue import redis_client
from tests.chat_app import given
from tests.factories import NOW

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

S = MessageState


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(desk, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(desk, "RENEWALS_PER_LEASE", 150)
    return


def work(
    engine: FakeEngine,
    *,
    until: Callable[[], bool] = lambda: not unfinished(),
    meanwhile: Callable[[], Awaitable[None]] | None = None,
    drain_s: float = 5,
) -> Worker:
    """Let a desk work until so; then it ends in order."""
    worker = given.worker(max_batch=engine.info.max_batch)
    assert worker.model is not None

    async def main() -> None:
        at_desk = Desk(engine, worker.model, worker, drain_s=drain_s)
        working = asyncio.create_task(at_desk.run())
        if meanwhile is not None:
            await meanwhile()
        deadline = time.monotonic() + 10
        while not working.done() and not await asyncio.to_thread(checked, until):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        at_desk.end()
        await working
        await streams.close()

    asyncio.run(main())
    return worker


def checked(until: Callable[[], bool]) -> bool:
    try:
        return until()
    finally:
        connection.close()


def unfinished() -> bool:
    return ChatMessage.objects.filter(state__in=[S.QUEUED, S.RUNNING]).exists()


def is_running(reply: ChatMessage) -> bool:
    return ChatMessage.objects.filter(pk=reply.pk, state=S.RUNNING).exists()


def ask(user: User, text: str, **fields: Any) -> ChatMessage:
    return replies.request(given.prompt(given.chat(user), text), now=timezone.now(), **fields)[0]


async def until_streamed(reply: ChatMessage) -> None:
    while len(streams.shown_text(reply.pk)) < 3:
        await asyncio.sleep(0.01)


def test_a_reply_is_written_streamed_and_stored_alike(alice: User) -> None:
    reply = ask(alice, "Hello there")

    worker = work(FakeEngine(tokens_per_s=200))

    reply.refresh_from_db()
    assert (reply.state, reply.text, reply.finish_reason) == (
        S.DONE,
        "You said: Hello there",
        "stop",
    )
    assert (reply.completion_tokens, reply.worker) == (4, worker)
    assert reply.first_token_at is not None
    assert streams.shown_text(reply.pk) == reply.text
    worker.refresh_from_db()
    assert worker.stopped_at is not None


def test_tokens_go_out_together(alice: User) -> None:
    reply = ask(alice, "!long 200")

    work(FakeEngine(tokens_per_s=1000))

    entries = redis_client().xlen(streams.key_of(reply.pk))
    reply.refresh_from_db()
    assert reply.completion_tokens == 200
    assert entries < 30


def test_as_many_are_written_at_once_as_the_engine_has_rows(alice: User, bob: User) -> None:
    engine, most = FakeEngine(tokens_per_s=100, max_batch=3), 0
    for user in (alice, bob):
        for _number in range(3):
            ask(user, "!long 10")

    def watch() -> bool:
        nonlocal most
        most = max(most, ChatMessage.objects.filter(state=S.RUNNING).count())
        return not unfinished()

    work(engine, until=watch)

    assert most == 3
    assert engine.running == 0
    assert {m.state for m in ChatMessage.objects.filter(role="assistant")} == {S.DONE}


def test_a_stop_keeps_what_was_shown_and_frees_the_row(alice: User) -> None:
    engine = FakeEngine(tokens_per_s=50)
    reply = ask(alice, "!long 1000")
    freed_after_s = 0.0

    async def stop() -> None:
        nonlocal freed_after_s
        await until_streamed(reply)
        await asyncio.to_thread(checked, lambda: bool(replies.stop(reply.pk, now=NOW)))
        asked_at = time.monotonic()
        while engine.running:
            await asyncio.sleep(0.01)
        freed_after_s = time.monotonic() - asked_at

    work(engine, meanwhile=stop)

    reply.refresh_from_db()
    assert (reply.state, reply.text.startswith("1 2 3")) == (S.STOPPED, True)
    assert reply.text == streams.shown_text(reply.pk)
    assert freed_after_s < 1


def test_a_deleted_chat_frees_the_row(alice: User) -> None:
    engine = FakeEngine(tokens_per_s=50)
    reply = ask(alice, "!long 1000")

    async def delete() -> None:
        await until_streamed(reply)
        await asyncio.to_thread(checked, lambda: bool(conversations.delete(reply.chat)))
        while engine.running:
            await asyncio.sleep(0.01)

    work(engine, meanwhile=delete)

    assert not ChatMessage.objects.exists()


def test_a_flushed_redis_costs_readers_nothing(alice: User) -> None:
    reply = ask(alice, "!long 60")

    async def flush() -> None:
        await until_streamed(reply)
        redis_client().flushdb()

    work(FakeEngine(tokens_per_s=100), meanwhile=flush)

    reply.refresh_from_db()
    assert (reply.state, reply.text.split()[-1]) == (S.DONE, "60")
    assert streams.shown_text(reply.pk) == reply.text


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (EngineError("cuda: out of memory"), S.INTERRUPTED, "could not finish"),
        (RequestTooLarge("Shorten your message."), S.FAILED, "Shorten your message."),
        (KeyError("a bug"), S.INTERRUPTED, "could not finish"),
    ],
)
def test_what_breaks_ends_its_own_reply_only(
    alice: User, error: Any, state: MessageState, words: str
) -> None:
    broken, whole = ask(alice, "!fail"), ask(alice, "Hello")

    def script(request: Any) -> Any:
        return ["Half", Fail(error)] if "!fail" in request.turns[-1].content else ["Whole"]

    work(FakeEngine(tokens_per_s=100, script=script))

    broken.refresh_from_db()
    whole.refresh_from_db()
    assert (broken.state, broken.text, words in broken.error) == (state, "Half", True)
    assert (whole.state, whole.text) == (S.DONE, "Whole")


def test_a_risky_answer_is_cut_off_before_anybody_reads_it(alice: User) -> None:
    reply = ask(alice, "Hello")
    words = "Sure. Here is how to make a pipe bomb : take".split(" ")
    engine = FakeEngine(tokens_per_s=20, script=lambda _request: [f"{w} " for w in words * 20])

    work(engine)

    reply.refresh_from_db()
    assert (reply.state, reply.hold, reply.hold_reason) == (S.DONE, "held", "threat")
    assert "bomb" not in streams.shown_text(reply.pk)
    assert len(reply.text.split()) < 30


def test_a_risky_answer_that_comes_in_one_piece_is_not_sent(alice: User) -> None:
    reply = ask(alice, "Hello")
    words = "Here is how to make a pipe bomb. " + "Take care. " * 100

    work(FakeEngine(tokens_per_s=0, script=lambda _request: [words]))

    reply.refresh_from_db()
    assert reply.hold == "held"
    assert streams.shown_text(reply.pk) == ""


def test_characters_that_cannot_be_stored_are_replaced(alice: User) -> None:
    reply = ask(alice, "Hello")

    work(FakeEngine(tokens_per_s=0, script=lambda _request: ["a\x00b"]))

    reply.refresh_from_db()
    assert (reply.state, reply.text) == (S.DONE, "a\ufffdb")
    assert streams.shown_text(reply.pk) == reply.text


def test_a_lost_lease_is_given_up_quietly(alice: User) -> None:
    engine = FakeEngine(tokens_per_s=50)
    reply = ask(alice, "!long 1000")

    async def lose() -> None:
        await until_streamed(reply)
        await asyncio.to_thread(
            checked, lambda: bool(ChatMessage.objects.filter(pk=reply.pk).update(attempt=7))
        )
        while engine.running:
            await asyncio.sleep(0.01)

    work(engine, meanwhile=lose, until=lambda: True)

    reply.refresh_from_db()
    assert (reply.state, reply.attempt, reply.text) == (S.RUNNING, 7, "")


def test_a_reply_that_comes_back_to_the_same_worker_is_written_once(alice: User) -> None:
    engine = FakeEngine(tokens_per_s=50)
    reply = ask(alice, "!long 40")

    async def call_it_lost() -> None:
        await until_streamed(reply)
        lost = {"state": S.QUEUED, "worker": None, "lease_until": None}
        rows = ChatMessage.objects.filter(pk=reply.pk)
        await asyncio.to_thread(checked, lambda: bool(rows.update(**lost)))

    work(engine, meanwhile=call_it_lost)

    reply.refresh_from_db()
    assert (reply.state, reply.attempt) == (S.DONE, 2)
    assert streams.shown_text(reply.pk) == reply.text
    assert engine.running == 0


def test_a_worker_that_slept_goes_on_with_its_replies(alice: User) -> None:
    reply = ask(alice, "!long 40")

    def oversleep() -> bool:
        given.abandon(reply)
        return True

    async def sleep() -> None:
        await until_streamed(reply)
        await asyncio.to_thread(checked, oversleep)

    work(FakeEngine(tokens_per_s=50), meanwhile=sleep)

    reply.refresh_from_db()
    assert (reply.state, reply.attempt, reply.losses) == (S.DONE, 1, 0)


def test_a_worker_that_ends_finishes_what_is_short(alice: User) -> None:
    reply = ask(alice, "!long 20")

    work(FakeEngine(tokens_per_s=100), until=lambda: is_running(reply))

    reply.refresh_from_db()
    assert (reply.state, reply.completion_tokens) == (S.DONE, 20)


def test_a_worker_that_ends_hands_back_what_is_long(alice: User) -> None:
    reply = ask(alice, "!long 9000")
    waiting = ask(alice, "Hello")

    worker = work(
        FakeEngine(tokens_per_s=50, max_batch=1), until=lambda: is_running(reply), drain_s=0.1
    )

    reply.refresh_from_db()
    waiting.refresh_from_db()
    assert (reply.state, reply.losses, reply.worker) == (S.QUEUED, 0, None)
    assert (waiting.state, waiting.attempt) == (S.QUEUED, 0)
    claim = replies.claim(worker.model, worker, now=NOW)
    assert claim is not None


def test_a_hanging_engine_does_not_keep_a_worker_from_ending(alice: User) -> None:
    reply = ask(alice, "Hello")
    engine = FakeEngine(tokens_per_s=0, script=lambda _request: ["Half", Hang()])

    work(engine, until=lambda: is_running(reply), drain_s=0.1)

    reply.refresh_from_db()
    assert reply.state == S.QUEUED


def test_a_worker_says_how_fast_it_writes(alice: User) -> None:
    reply = ask(alice, "!long 60")

    worker = work(FakeEngine(tokens_per_s=100), until=lambda: not unfinished())

    worker.refresh_from_db()
    reply.refresh_from_db()
    assert reply.state == S.DONE
    assert 20 < worker.tokens_per_s < 150


def test_a_model_is_replaced_by_other_weights_and_not_by_its_absence(alice: User) -> None:
    model = given.served()
    known = ServedModel.objects.get(pk=model.pk)
    assert not workers.is_replaced(known)

    ServedModel.objects.filter(pk=model.pk).update(source="better")
    assert workers.is_replaced(known)

    model.delete()
    assert not workers.is_replaced(known)
