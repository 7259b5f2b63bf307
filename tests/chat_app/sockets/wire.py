"""A browser's end of a chat socket, in the process of the test."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from unittest import mock
from uuid import uuid4

from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings

from chat_app import streams
from oasst.accounts.models import User
from oasst.asgi import application
from tests.sessions import cookie_of

ORIGIN = "http://testserver"
in_database = database_sync_to_async


def play(scenario: Callable[[], Awaitable[Any]]) -> Any:
    """Run a scenario. Its database calls come back to this thread, so the test sees them."""

    async def closing() -> Any:
        try:
            return await scenario()
        finally:
            await streams.close()

    # Between requests it would close the connection that holds the test's transaction; Django's own
    # test client does the same.
    with mock.patch("channels.db.close_old_connections"):
        return async_to_sync(closing)()


class Socket:
    """One socket; `cookie=""` for somebody who is not signed in."""

    def __init__(self, chat_id: object, cookie: str, *, origin: str | None = ORIGIN) -> None:
        headers = [(b"host", b"testserver")]
        headers += [(b"origin", origin.encode())] if origin is not None else []
        if cookie:
            headers += [(b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode())]
        self.wire = WebsocketCommunicator(application, f"/ws/chat/{chat_id}/", headers=headers)

    async def __aenter__(self) -> "Socket":
        self.is_accepted, _code = await self.wire.connect()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.wire.disconnect()

    async def send(self, frame_type: str, **fields: Any) -> None:
        await self.wire.send_json_to({"type": frame_type, **fields})

    async def frame(self) -> dict[str, Any]:
        """The next frame."""
        return json.loads(await self.wire.receive_from(timeout=3))

    async def frames_until(self, frame_type: str) -> list[dict[str, Any]]:
        """All frames up to the first of a type."""
        found = [await self.frame()]
        while found[-1]["type"] != frame_type:
            found.append(await self.frame())
        return found

    async def close_code(self) -> int:
        """The code the server closes with, which is the next thing it does."""
        output = await self.wire.receive_output(3)
        assert output["type"] == "websocket.close", output
        return output["code"]

    async def says_nothing(self) -> bool:
        return await self.wire.receive_nothing(0.15)


def open_socket(user: User, chat_id: object, **options: Any) -> Socket:
    """The socket of a browser in which `user` is signed in; call outside of scenarios."""
    return Socket(chat_id, cookie_of(user), **options)


def prompt(text: str = "Why is the sky blue?", **fields: Any) -> dict[str, Any]:
    """The fields of a prompt frame."""
    return {"text": text, "key": str(uuid4()), **fields}
