"""Sockets through the real server: what only shows on the wire."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from tests import factories, stack
from tests.chat_app import given
from tests.sessions import cookie_of

pytestmark = pytest.mark.slow
Opened = Callable[..., Any]


@pytest.fixture
def opened(transactional_db: None) -> Opened:
    """Opens the socket of a chat of Alice's."""
    alice = factories.alice()
    path = f"/ws/chat/{given.chat(alice).pk}/"
    cookie = f"{settings.SESSION_COOKIE_NAME}={cookie_of(alice)}"

    def open_at(address: str, origin: str | None = None) -> Any:
        url = address.replace("http", "ws") + path
        return connect(url, origin=origin or address, additional_headers={"Cookie": cookie})

    return open_at


async def close_code(socket: ClientConnection) -> int | None:
    try:
        while True:
            await asyncio.wait_for(socket.recv(), 10)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(main())


def test_page_of_another_site_gets_no_socket(opened: Opened, running_site: str) -> None:
    async def refused(origin: str) -> int:
        with pytest.raises(InvalidStatus) as refusal:
            await opened(running_site, origin)
        return refusal.value.response.status_code

    for origin in (
        "https://evil.example",
        "null",
        running_site.replace("127.0.0.1", "evil.example"),
    ):
        assert run(lambda origin=origin: refused(origin)) == 403


def test_server_that_ends_closes_with_1012(opened: Opened, tmp_path: Path) -> None:
    with stack.web(tmp_path) as (address, process):

        async def main() -> tuple[str, int | None]:
            async with opened(address) as socket:
                hello = json.loads(await socket.recv())
                process.terminate()
                return hello["type"], await close_code(socket)

        assert run(main) == ("hello", 1012)
        assert process.wait(10) is not None


def test_bytes_that_are_no_text_end_only_their_socket(opened: Opened, running_site: str) -> None:
    async def main() -> tuple[int | None, int | None, str]:
        # The server drops both without a word, as it must not trust what they send.
        async with (
            opened(running_site) as broken,
            opened(running_site) as huge,
            opened(running_site) as fine,
        ):
            await fine.recv()
            broken.transport.write(Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True))
            with suppress(ConnectionClosed):  # before all of it is sent
                await huge.send("x" * 2_000_000)
            codes = await close_code(broken), await close_code(huge)
            await fine.send('{"type": "ping"}')
            return *codes, json.loads(await fine.recv())["type"]

    assert run(main) == (None, None, "pong")
