"""What each frame does, and what the browser gets: prompts, replies, stops, and nonsense."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from pytest_django import Settings

from chat_app import asking, consumers, notices, protocol, replies, socket_actions
from chat_app.enums import MessageState
from chat_app.models import Chat, ChatMessage
from chat_app.protocol import Queued, Stalled
from chat_app.replies import Outcome
from chat_app.streams import Writer
from oasst.accounts.models import User
from tests.chat_app import given
from tests.chat_app.sockets.wire import in_database, open_socket, play, prompt
from tests.factories import NOW

pytestmark = pytest.mark.slow

DONE = Outcome(MessageState.DONE, text="Hello you", finish_reason="stop")


@pytest.fixture
def chat(alice: User) -> Chat:
    return given.chat(alice)


async def finish(claim: replies.Claim, outcome: Outcome = DONE) -> None:
    assert await in_database(replies.finish)(claim.reply_id, claim.attempt, outcome, now=NOW)


def types(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"] for frame in frames]


def test_prompt_is_stored_and_a_reply_asked_for(chat: Chat, alice: User) -> None:
    socket, sent = open_socket(alice, chat.pk), prompt()

    async def scenario() -> dict[str, Any]:
        async with socket:
            await socket.frame()
            await socket.send("prompt", **sent)
            return await socket.frame()

    created = play(scenario)
    said, reply = ChatMessage.objects.order_by("depth")
    assert created == {
        "type": "created",
        "prompt": str(said.pk),
        "replies": [str(reply.pk)],
        "key": sent["key"],
    }
    assert (said.text, reply.state, reply.parent_id) == (sent["text"], "queued", said.pk)


def test_prompt_sent_again_after_a_lost_answer_does_nothing_new(chat: Chat, alice: User) -> None:
    sockets, sent = [open_socket(alice, chat.pk) for _ in range(2)], prompt()

    async def scenario() -> list[dict[str, Any]]:
        answers = []
        for socket in sockets:
            async with socket:
                await socket.frame()
                await socket.send("prompt", **sent)
                answers.append(await socket.frame())
        return answers

    first, again = play(scenario)
    assert first == again
    assert ChatMessage.objects.count() == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"text": "  "}, "text_empty"),
        ({"text": "a\x00b"}, "text_invalid"),
        ({"text": "x" * 30_000}, "text_too_long"),
        ({"parent": str(uuid4())}, "bad_parent"),
    ],
)
def test_refused_prompt_names_its_key(
    chat: Chat, alice: User, fields: dict[str, Any], code: str
) -> None:
    socket, sent = open_socket(alice, chat.pk), prompt(**fields)

    async def scenario() -> dict[str, Any]:
        async with socket:
            await socket.frame()
            await socket.send("prompt", **sent)
            return await socket.frame()

    error = play(scenario)
    assert (error["type"], error["code"], error["key"]) == ("error", code, sent["key"])
    assert error["message"]
    assert ChatMessage.objects.count() == 0


def test_too_many_prompts_are_told_when_to_come_back(
    chat: Chat, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "PROMPTS_PER_MINUTE", 1)
    socket = open_socket(alice, chat.pk)

    async def scenario() -> dict[str, Any]:
        async with socket:
            await socket.frame()
            for _ in range(2):
                await socket.send("prompt", **prompt())
            return (await socket.frames_until("error"))[-1]

    error = play(scenario)
    assert error["code"] == "too_many_prompts"
    assert 0 < error["retry_after_s"] <= 60
    assert ChatMessage.objects.count() == 2


def test_full_queue_keeps_the_prompt(chat: Chat, alice: User, settings: Settings) -> None:
    settings.CHAT_QUEUE_LIMIT = 0
    socket = open_socket(alice, chat.pk)

    async def scenario() -> str:
        async with socket:
            await socket.frame()
            await socket.send("prompt", **prompt())
            return (await socket.frame())["code"]

    assert play(scenario) == "queue_full"
    assert [message.role for message in chat.messages.all()] == ["prompter"]


def test_watched_reply_comes_in_order_and_ends_once(alice: User) -> None:
    reply, claim = given.running(alice)
    socket = open_socket(alice, reply.chat_id)

    async def scenario() -> list[dict[str, Any]]:
        async with socket:
            await socket.frame()
            await socket.send("watch", replies={str(reply.pk): ""})
            writer = Writer(reply.pk, claim.attempt)
            await writer.append("")
            first = await socket.frame()  # who looks after the end gets all at once
            for text in ("Hello", " you"):
                await writer.append(text)
            await finish(claim)
            frames = await socket.frames_until("done")
            assert await socket.says_nothing()
            return [first, *frames]

    frames = play(scenario)
    texts = [frame["text"] for frame in frames if frame["type"] == "delta"]
    assert "".join(texts) == "Hello you"
    cursors = [frame["cursor"] for frame in frames if "cursor" in frame]
    assert cursors[:3] == ["1-1", "1-2", "1-3"]
    end = {"state": "done", "finish_reason": "stop", "error": ""}
    assert frames[-1] == {"type": "done", "reply": str(reply.pk), **end}


def test_second_tab_goes_on_from_its_cursor(alice: User) -> None:
    reply, claim = given.running(alice)
    socket = open_socket(alice, reply.chat_id)

    async def scenario() -> list[dict[str, Any]]:
        writer = Writer(reply.pk, claim.attempt)
        for text in ("", "Hello", " you"):
            await writer.append(text)
        async with socket:
            await socket.frame()
            await socket.send("watch", replies={str(reply.pk): "1-2"})
            return [await socket.frame()]

    assert [frame["text"] for frame in play(scenario)] == [" you"]


def test_reply_that_ended_is_sent_whole(alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice, "Hi", "Hello you")
    socket = open_socket(alice, chat.pk)

    async def scenario() -> list[dict[str, Any]]:
        async with socket:
            await socket.frame()
            await socket.send("watch", replies={str(reply.pk): ""})
            return await socket.frames_until("done")

    frames = play(scenario)
    assert types(frames) == ["snapshot", "done"]
    assert frames[0]["text"] == "Hello you"


def test_text_that_was_held_is_not_sent(alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice, "Hi", "A secret")
    ChatMessage.objects.filter(pk=reply.pk).update(hold="held")
    socket = open_socket(alice, chat.pk)

    async def scenario() -> list[dict[str, Any]]:
        async with socket:
            await socket.frame()
            await socket.send("watch", replies={str(reply.pk): ""})
            return await socket.frames_until("done")

    assert "A secret" not in str(play(scenario))


def test_several_drafts_come_side_by_side(chat: Chat, alice: User) -> None:
    drafts = replies.request(given.prompt(chat), count=3, now=NOW)
    socket = open_socket(alice, chat.pk)

    async def scenario() -> dict[str, str]:
        async with socket:
            await socket.frame()
            await socket.send("watch", replies={str(draft.pk): "" for draft in drafts})
            for draft in drafts:
                await Writer(draft.pk, 1).append(f"I am {draft.pk}")
            texts: dict[str, str] = {}
            while len(texts) < 3:
                frame = await socket.frame()
                if frame["type"] == "snapshot":
                    texts[frame["reply"]] = frame["text"]
            return texts

    assert play(scenario) == {str(draft.pk): f"I am {draft.pk}" for draft in drafts}


def test_waiting_reply_tells_its_place_again_and_again(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "QUEUE_EVERY_S", 0.0)
    monkeypatch.setattr(consumers, "FIRST_QUEUED_AFTER_S", 0.0)
    given.waiting(bob)
    reply = given.waiting(alice)[0]
    given.worker(reply.model)
    socket = open_socket(alice, reply.chat_id)

    async def scenario() -> list[dict[str, Any]]:
        async with socket:
            await socket.frame()
            await socket.send("watch", replies={str(reply.pk): ""})
            return [await socket.frame() for _ in range(2)]

    for frame in play(scenario):
        assert (frame["type"], frame["reply"], frame["size"]) == ("queued", str(reply.pk), 2)
        assert frame["position"] in (1, 2)


def test_those_who_wait_share_one_look_at_the_queue(
    alice: User, bob: User, django_assert_num_queries: Any
) -> None:
    mine, other = given.waiting(alice)[0], given.waiting(bob)[0]
    seen = socket_actions.place(mine.pk)

    with django_assert_num_queries(1):
        found = socket_actions.place(other.pk)

    assert isinstance(seen, Queued)
    assert isinstance(found, Queued)
    assert {seen.position, found.position} == {1, 2}


def test_reply_of_a_silent_worker_is_said_to_stand_still(alice: User) -> None:
    reply, _claim = given.running(alice)
    assert socket_actions.place(reply.pk) is None

    given.abandon(reply)

    assert socket_actions.place(reply.pk) == Stalled(str(reply.pk))


def test_replies_of_another_chat_cannot_be_watched_or_stopped(
    chat: Chat, alice: User, bob: User
) -> None:
    foreign = given.waiting(bob)[0]
    socket = open_socket(alice, chat.pk)

    async def scenario() -> list[str]:
        async with socket:
            await socket.frame()
            await socket.send("watch", replies={str(foreign.pk): ""})
            await socket.send("stop", reply=str(foreign.pk))
            return [(await socket.frame())["code"] for _ in range(2)]

    assert play(scenario) == ["not_found", "not_found"]
    foreign.refresh_from_db()
    assert foreign.state == "queued"


def test_nobody_follows_more_than_a_page_can_show(
    chat: Chat, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "MAX_FOLLOWED", 1)
    drafts = replies.request(given.prompt(chat), count=2, now=NOW)
    socket = open_socket(alice, chat.pk)

    async def scenario() -> str:
        async with socket:
            await socket.frame()
            await socket.send("watch", replies={str(draft.pk): "" for draft in drafts})
            return (await socket.frame())["code"]

    assert play(scenario) == "too_many_followed"


def test_stop_ends_a_waiting_reply_at_once(alice: User) -> None:
    reply = given.waiting(alice)[0]
    socket = open_socket(alice, reply.chat_id)

    async def scenario() -> dict[str, Any]:
        async with socket:
            await socket.frame()
            await socket.send("watch", replies={str(reply.pk): ""})
            await socket.send("stop", reply=str(reply.pk))
            return (await socket.frames_until("done"))[-1]

    assert play(scenario)["state"] == "stopped"


def test_stop_asks_the_worker_of_a_running_reply(alice: User) -> None:
    reply, _claim = given.running(alice)
    socket = open_socket(alice, reply.chat_id)

    async def scenario() -> None:
        async with socket:
            await socket.frame()
            await socket.send("stop", reply=str(reply.pk))
            await socket.send("ping")
            assert (await socket.frame())["type"] == "pong"

    play(scenario)
    reply.refresh_from_db()
    assert (reply.state, reply.stop_requested) == ("running", True)


def test_every_tab_learns_of_a_prompt_once(chat: Chat, alice: User) -> None:
    tabs = [open_socket(alice, chat.pk) for _ in range(2)]

    async def scenario() -> list[list[str]]:
        async with tabs[0], tabs[1]:
            for tab in tabs:
                await tab.frame()
            await tabs[0].send("prompt", **prompt())
            created = await tabs[0].frame()
            # What the commit does, which the test's transaction never comes to.
            again = protocol.Created(created["prompt"], created["replies"], created["key"])
            notices.notify(chat.pk, again)
            assert await tabs[1].frame() == created
            notices.notify(chat.pk, protocol.Title("Sky"))
            return [[(await tab.frame())["type"]] for tab in tabs]

    assert play(scenario) == [["title"], ["title"]]


NONSENSE = [
    "",
    "nonsense",
    "[]",
    "{}",
    "null",
    "1e999",
    '{"type": "prompt"}',
    '{"type": "prompt", "key": "x", "text": "y"}',
    '{"type": "shout"}',
    '{"type": "watch", "replies": {"x": ""}}',
    '{"type": "stop", "reply": 1}',
    '{"type": "ping", "x": NaN}',
    "[" * 50_000,
    '{"type": "ping", "x": "' + "x" * 70_000 + '"}',
    f'{{"type": "prompt", "key": "{UUID(int=1)}", "text": "\\ud800"}}',
]


@pytest.mark.parametrize("text", NONSENSE, ids=lambda text: text[:40])
def test_nonsense_gets_an_error_and_the_socket_stays(chat: Chat, alice: User, text: str) -> None:
    socket = open_socket(alice, chat.pk)

    async def scenario() -> list[str]:
        async with socket:
            await socket.frame()
            await socket.wire.send_input({"type": "websocket.receive", "text": text})
            error = await socket.frame()
            await socket.send("ping")
            return [error["code"], (await socket.frame())["type"]]

    assert play(scenario) == ["bad_frame", "pong"]


def test_bytes_get_an_error(chat: Chat, alice: User) -> None:
    socket = open_socket(alice, chat.pk)

    async def scenario() -> dict[str, Any]:
        async with socket:
            await socket.frame()
            await socket.wire.send_to(bytes_data=b'{"type": "ping"}')
            return await socket.frame()

    assert play(scenario)["message"] == "expected a text frame"


def test_flood_is_slowed_down_and_then_ended(
    chat: Chat, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "MOST_REFUSED", 20)
    socket = open_socket(alice, chat.pk)

    async def scenario() -> tuple[list[str], int]:
        async with socket:
            await socket.frame()
            for _ in range(consumers.BURST + 40):
                await socket.send("ping")
            found = types(await socket.frames_until("error"))
            return found, await socket.close_code()

    found, code = play(scenario)
    assert set(found[:-1]) == {"pong"}
    assert consumers.BURST <= len(found[:-1]) < consumers.BURST + 20
    assert code == 4429


def test_fault_of_ours_is_logged_and_closes_the_socket(
    chat: Chat, alice: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_chat_id: object) -> None:
        raise RuntimeError("planned")

    monkeypatch.setattr(socket_actions, "running", broken)
    socket = open_socket(alice, chat.pk)

    async def scenario() -> int:
        async with socket:
            return await socket.close_code()

    assert play(scenario) == 1011
    assert "planned" in caplog.text


def test_server_that_goes_away_says_so(chat: Chat, alice: User) -> None:
    socket = open_socket(alice, chat.pk)

    async def scenario() -> int:
        await socket.wire.connect()
        await socket.frame()
        socket.wire.future.cancel()  # what daphne does on SIGTERM
        return await socket.close_code()

    assert play(scenario) == 1012
    assert consumers._sockets == {}
