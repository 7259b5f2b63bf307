"""Who may open a chat's socket, and who may go on using one that is open."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from chat_app import consumers, conversations
from chat_app.models import Chat, ChatMessage
from oasst.accounts import people
from oasst.accounts.models import OpenSession, User
from tests.chat_app import given
from tests.chat_app.sockets.wire import Socket, in_database, open_socket, play, prompt


@pytest.fixture
def chat(alice: User) -> Chat:
    return given.chat(alice)


def closing(socket: Socket) -> tuple[bool, str, int]:
    """Whether it was accepted, and the code of the error and of the close that follow at once."""

    async def scenario() -> tuple[bool, str, int]:
        async with socket:
            return socket.is_accepted, (await socket.frame())["code"], await socket.close_code()

    return play(scenario)


def test_owner_is_greeted_with_version_and_unfinished_replies(alice: User) -> None:
    reply = given.waiting(alice)[0]
    socket = open_socket(alice, reply.chat_id)

    async def scenario() -> dict[str, Any]:
        async with socket:
            return await socket.frame()

    assert play(scenario) == {
        "type": "hello",
        "chat": str(reply.chat_id),
        "replies": [str(reply.pk)],
        "version": 1,
    }


def test_visitor_is_told_to_sign_in(chat: Chat) -> None:
    assert closing(Socket(chat.pk, "")) == (True, "signed_out", 4401)
    assert closing(Socket(chat.pk, "no-such-session")) == (True, "signed_out", 4401)


def test_chats_of_others_do_not_exist(chat: Chat, bob: User) -> None:
    assert closing(open_socket(bob, chat.pk)) == (True, "not_found", 4404)
    assert closing(open_socket(bob, uuid4())) == (True, "not_found", 4404)


def test_calls_of_the_api_have_no_socket(alice: User) -> None:
    hidden = given.chat(alice, from_api=True, allow_data_use=False)

    assert closing(open_socket(alice, hidden.pk)) == (True, "not_found", 4404)


def test_terms_come_first(chat: Chat, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(tos_version="0")

    assert closing(open_socket(alice, chat.pk)) == (True, "terms_not_accepted", 4401)


@pytest.mark.parametrize("origin", ["https://evil.example", "http://testserver.evil.example", None])
def test_page_of_another_site_is_refused(chat: Chat, alice: User, origin: str | None) -> None:
    socket = open_socket(alice, chat.pk, origin=origin)

    async def scenario() -> bool:
        async with socket:
            return socket.is_accepted

    assert play(scenario) is False


@pytest.mark.parametrize("path", ["../x", "not-a-uuid", f"{UUID(int=1)}/more"])
def test_address_without_a_chat_is_refused(alice: User, path: str) -> None:
    socket = open_socket(alice, path)

    async def scenario() -> bool:
        async with socket:
            return socket.is_accepted

    assert play(scenario) is False


def test_more_sockets_than_anybody_needs_are_refused(
    chat: Chat, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "MAX_SOCKETS", 1)
    first, second, third = (open_socket(alice, chat.pk) for _ in range(3))

    async def scenario() -> list[str]:
        async with first, second:
            said = [(await socket.frame()) for socket in (first, second)]
            assert await second.close_code() == 4429
        async with third:  # there is room again
            said.append(await third.frame())
        return [frame.get("code", frame["type"]) for frame in said]

    assert play(scenario) == ["hello", "too_many_sockets", "hello"]


def ban(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def sign_out(user: User) -> None:
    OpenSession.objects.all().delete()


def sign_out_everywhere(user: User) -> None:
    people.end_all_sessions(user, now=timezone.now())


@pytest.mark.parametrize("end", [ban, sign_out, sign_out_everywhere])
def test_prompt_after_the_session_ended_is_refused(chat: Chat, alice: User, end: Any) -> None:
    socket = open_socket(alice, chat.pk)

    async def scenario() -> tuple[str, int]:
        async with socket:
            await socket.frame()
            await in_database(end)(alice)
            await socket.send("prompt", **prompt())
            return (await socket.frame())["code"], await socket.close_code()

    assert play(scenario) == ("signed_out", 4401)
    assert ChatMessage.objects.count() == 0


def test_idle_socket_is_closed_soon_after_a_ban(
    chat: Chat, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_EVERY_S", 0.05)
    socket = open_socket(alice, chat.pk)

    async def scenario() -> tuple[bool, str, int]:
        async with socket:
            await socket.frame()
            quiet = await socket.says_nothing()
            await in_database(ban)(alice)
            return quiet, (await socket.frame())["code"], await socket.close_code()

    assert play(scenario) == (True, "signed_out", 4401)


def test_socket_of_a_deleted_chat_is_closed(
    chat: Chat, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_EVERY_S", 0.05)
    socket = open_socket(alice, chat.pk)

    async def scenario() -> tuple[str, int]:
        async with socket:
            await socket.frame()
            await in_database(conversations.delete)(chat)
            return (await socket.frame())["code"], await socket.close_code()

    assert play(scenario) == ("not_found", 4404)


def test_muted_person_reads_on_and_says_nothing(chat: Chat, alice: User) -> None:
    socket = open_socket(alice, chat.pk)
    until = timezone.now() + timedelta(hours=1)
    User.objects.filter(pk=alice.pk).update(muted_until=until)

    async def scenario() -> list[str]:
        async with socket:
            await socket.frame()
            await socket.send("prompt", **prompt())
            refused = await socket.frame()
            await socket.send("ping")
            return [refused["code"], (await socket.frame())["type"]]

    assert play(scenario) == ["muted", "pong"]
    assert ChatMessage.objects.count() == 0
