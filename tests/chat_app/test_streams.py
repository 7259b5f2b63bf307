"""The way of tokens to readers: in order, never twice, lost with grace, never of an old attempt."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from chat_app import notices, protocol, replies, streams
from chat_app.enums import MessageState
from chat_app.following import follow
from chat_app.replies import Outcome
from chat_app.streams import Entry, Superseded, Writer
from oasst.accounts.models import User
from oasst.lib.queue import redis_client
from tests.chat_app import given
from tests.factories import NOW
from tests.waiting import on_a_connection_of_its_own

REPLY = uuid.uuid4()


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    async def closing() -> Any:
        try:
            return await main()
        finally:
            await streams.close()

    return asyncio.run(closing())


def texts(entries: list[Entry]) -> list[tuple[str, str, str]]:
    return [(entry.cursor, entry.type, entry.text) for entry in entries]


def test_entries_are_numbered_within_their_attempt() -> None:
    async def main() -> list[Entry]:
        writer = Writer(REPLY, 1)
        await writer.append("")
        await writer.append("Hello")
        await writer.append(" you")
        return await streams.read(REPLY)

    assert texts(run(main)) == [
        ("1-1", "snapshot", ""),
        ("1-2", "delta", "Hello"),
        ("1-3", "delta", " you"),
    ]


def test_a_reader_gets_what_came_after_its_cursor() -> None:
    async def main() -> list[Entry]:
        writer = Writer(REPLY, 1)
        for text in ("", "one", " two"):
            await writer.append(text)
        return await streams.read(REPLY, "1-2")

    assert texts(run(main)) == [("1-3", "delta", " two")]


def test_readers_of_one_stream_at_different_places_do_not_disturb_each_other() -> None:
    async def main() -> list[list[Entry]]:
        writer = Writer(REPLY, 1)
        for text in ("", "one", " two"):
            await writer.append(text)
        reads = [streams.read(REPLY, after) for after in ("", "1-1", "1-2")]
        return await asyncio.gather(*reads)

    assert [len(found) for found in run(main)] == [3, 2, 1]


def test_a_reader_waits_for_news_and_gives_up() -> None:
    async def main() -> tuple[list[Entry], list[Entry]]:
        nothing = await streams.read(REPLY, wait_s=0.01)
        waiting = asyncio.create_task(streams.read(REPLY, wait_s=5))
        await asyncio.sleep(0.1)
        await Writer(REPLY, 1).append("Here")
        return nothing, await waiting

    nothing, found = run(main)
    assert (nothing, texts(found)) == ([], [("1-1", "snapshot", "Here")])


def test_an_old_attempt_is_refused_and_a_new_one_begins_again() -> None:
    async def main() -> list[Entry]:
        old, new = Writer(REPLY, 1), Writer(REPLY, 2)
        await old.append("Half")
        await new.append("")
        with pytest.raises(Superseded):
            await old.append(" of it")
        return await streams.read(REPLY)

    assert texts(run(main)) == [("1-1", "snapshot", "Half"), ("2-1", "snapshot", "")]
    assert streams.shown_text(REPLY) == ""


def test_nothing_follows_the_end() -> None:
    async def main() -> list[Entry]:
        writer = Writer(REPLY, 1)
        await writer.append("Half")
        streams.end(REPLY, 1, {"state": "stopped"})
        with pytest.raises(Superseded):
            await writer.append(" more")
        return await streams.read(REPLY, "1-1")

    (done,) = run(main)
    assert (done.cursor, done.type, done.data) == ("1-2", "done", {"state": "stopped"})
    assert 0 < redis_client().ttl(streams.key_of(REPLY)) <= streams.KEEP_AFTER_END_S


def test_a_lost_stream_is_made_good_by_the_whole_text() -> None:
    async def main() -> list[Entry]:
        writer = Writer(REPLY, 1, "Once")
        await writer.append("")
        await writer.append(" upon")
        redis_client().flushdb()
        await writer.append(" a")
        await writer.append(" time")
        return await streams.read(REPLY, "1-2")

    assert texts(run(main)) == [("1-4", "snapshot", "Once upon a"), ("1-5", "delta", " time")]


def test_a_redis_that_takes_no_more_is_like_one_that_is_away() -> None:
    redis_client().set(streams.key_of(REPLY), "not a stream")  # answers every entry with an error

    async def main() -> list[Entry]:
        writer = Writer(REPLY, 1)
        await writer.append("")
        await writer.append("Hello")
        redis_client().delete(streams.key_of(REPLY))
        await writer.append(" you")
        return await streams.read(REPLY)

    assert [(entry.type, entry.text) for entry in run(main)] == [("snapshot", "Hello you")]


def test_the_shown_text_is_that_of_the_newest_attempt() -> None:
    async def main() -> None:
        await Writer(REPLY, 1).append("Old")
        writer = Writer(REPLY, 2)
        await writer.append("New")
        await writer.append(" text")

    run(main)
    assert streams.shown_text(REPLY) == "New text"


# Following


@pytest.mark.django_db(transaction=True)
def test_following_ends_with_the_stream(alice: User) -> None:
    reply, _claim = given.running(alice)

    async def main() -> list[Any]:
        writer = Writer(reply.pk, 1)
        await writer.append("Hello")
        streams.end(reply.pk, 1, {"state": "done"})
        return [entry async for entry in follow(reply.pk)]

    found = [entry for entry in run(main) if entry is not None]
    assert [entry.type for entry in found] == ["snapshot", "done"]


@pytest.mark.django_db(transaction=True)
def test_following_what_redis_forgot_gives_the_stored_text(alice: User) -> None:
    _chat, (_prompt, reply) = given.thread(alice)

    async def main() -> list[Any]:
        return [entry async for entry in follow(reply.pk, "1-7")]

    snapshot, done = run(main)
    assert (snapshot.type, snapshot.text) == ("snapshot", reply.text)
    assert (done.type, done.data["state"]) == ("done", "done")


@pytest.mark.django_db(transaction=True)
def test_following_a_deleted_reply_ends() -> None:
    async def main() -> list[Any]:
        return [entry async for entry in follow(REPLY)]

    assert run(main) == []


@pytest.mark.django_db(transaction=True)
def test_a_hole_in_the_stream_is_not_papered_over(alice: User) -> None:
    reply, _claim = given.running(alice)
    key = streams.key_of(reply.pk)
    for cursor, kind, text in [
        ("1-1", "snapshot", "a"),
        ("1-3", "delta", "c"),
        ("1-4", "delta", "d"),
        ("1-5", "snapshot", "abcde"),
        ("1-6", "done", ""),
    ]:
        redis_client().xadd(key, {"type": kind, "text": text}, id=cursor)

    async def main() -> list[Any]:
        return [entry async for entry in follow(reply.pk)]

    found = [entry.cursor for entry in run(main) if entry is not None]
    assert found == ["1-1", "1-5", "1-6"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lost", ["the last piece", "everything"])
def test_an_end_after_lost_pieces_brings_the_stored_text(alice: User, lost: str) -> None:
    reply, _claim = given.running(alice)
    key = streams.key_of(reply.pk)

    async def main() -> list[Any]:
        writer = Writer(reply.pk, 1)
        await writer.append("Hello")
        following = follow(reply.pk)
        seen = [await anext(following), await anext(following)]  # None, and what there is
        moved = f"{key}-away"  # Redis fails while the last piece is written
        redis_client().rename(key, moved)
        redis_client().set(key, "not a stream")
        await writer.append(" you")
        redis_client().delete(key)
        if lost == "the last piece":
            redis_client().rename(moved, key)
        outcome = Outcome(MessageState.DONE, text="Hello you")
        finish = partial(replies.finish, reply.pk, 1, outcome, now=NOW, entries=writer.number)
        await asyncio.to_thread(on_a_connection_of_its_own, finish)
        return seen + [entry async for entry in following]

    found = [(entry.type, entry.text) for entry in run(main) if entry is not None]
    assert found == [("snapshot", "Hello"), ("snapshot", "Hello you"), ("done", "")]


# Notices


def test_a_notice_reaches_the_sockets_of_its_chat_only() -> None:
    chat, other = uuid.uuid4(), uuid.uuid4()

    async def main() -> tuple[str, bool]:
        async with notices.listening(chat) as mine, notices.listening(other) as others:
            notices.notify(chat, protocol.Title("Tides"))
            return await asyncio.wait_for(mine.get(), 5), others.empty()

    text, is_empty = run(main)
    assert (text, is_empty) == ('{"type": "title", "title": "Tides"}', True)
