"""`/ws/chat/<uuid>/`: reads frames, calls the domain, and passes on what becomes of replies.

It accepts first and then closes with a code of protocol.py, because a browser cannot read why a
handshake was refused. Nothing here writes a reply; a socket that ends stops none.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from chat_app import access, following, notices, protocol, socket_actions
from chat_app.errors import ChatNotFound
from chat_app.pacing import Pace
from chat_app.protocol import ServerFrame
from chat_app.streams import Entry
from oasst.accounts.people import TermsNotAccepted
from oasst.lib import page_language
from oasst.lib.errors import DomainError
from oasst.lib.threads import in_thread

logger = logging.getLogger(__name__)

RECHECK_EVERY_S = 60.0
FIRST_QUEUED_AFTER_S, QUEUE_EVERY_S = 0.5, 2.0
MAX_SOCKETS = 30  # of one person in one web process
MAX_FOLLOWED = 20
FRAMES_PER_S, BURST = 20, 60
# Somebody who sends on after so many refusals is a program gone wild.
MOST_REFUSED = 200
# The loop needs a moment to write the close frame before the server ends.
FLUSH_S = 0.05
CLOSE_SERVER_ERROR = 1011

_CLOSE_CODES: dict[type[DomainError], int] = {
    access.SignedOut: protocol.CLOSE_SIGNED_OUT,
    TermsNotAccepted: protocol.CLOSE_SIGNED_OUT,
    ChatNotFound: protocol.CLOSE_NOT_FOUND,
}
_sockets: Counter[UUID] = Counter()

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def chat_socket(scope: Any, receive: Receive, send: Send) -> None:
    """Serve one socket from its handshake to its end; an ASGI application.

    Not a channels consumer: each of those costs two more tasks, for groups that nobody needs here.
    """
    consumer = ChatConsumer(scope, send)
    try:
        await consumer.run(receive)
    except asyncio.CancelledError:  # the server shuts down
        await consumer.close(protocol.CLOSE_GOING_AWAY)
        await asyncio.sleep(FLUSH_S)
        raise
    finally:
        consumer.let_go()


class ChatConsumer:
    """One socket: one chat of one person."""

    __slots__ = ("_attendant", "_chat_id", "_followers", "_is_open", "_pace", "_refused",
                 "_send", "_session_key", "_told", "_user_id")  # fmt: skip

    def __init__(self, scope: Any, send: Send) -> None:
        self._chat_id: UUID = scope["url_route"]["kwargs"]["chat_id"]
        self._session_key: str = scope["cookies"].get(settings.SESSION_COOKIE_NAME, "")
        self._send = send
        self._is_open = False
        self._user_id: UUID | None = None
        self._attendant: asyncio.Task[None] | None = None
        self._followers: dict[UUID, asyncio.Task[None]] = {}
        self._pace = Pace(FRAMES_PER_S, BURST)
        self._refused = 0
        # Prompts that this socket was told of, so that the notice to every tab is no echo.
        self._told: list[str] = []

    # From the server

    async def run(self, receive: Receive) -> None:
        """Take what the server says until the browser is gone."""
        while True:
            message = await receive()
            match message["type"]:
                case "websocket.connect":
                    await self._connect()
                case "websocket.receive":
                    await self._receive(message)
                case "websocket.disconnect":
                    self._is_open = False
                    return

    async def _connect(self) -> None:
        await self._send({"type": "websocket.accept"})
        self._is_open = True
        try:
            chat = await in_thread(access.own_chat, self._session_key, self._chat_id)
        except DomainError as error:
            await self._refuse_access(error)
            return
        # For this socket alone, and for the tasks it starts: each has a context of its own.
        translation.activate(page_language.offered(chat.user.ui_language))
        if _sockets[chat.user_id] >= MAX_SOCKETS:
            await self._say_no(
                "too_many_sockets", _("Too many pages of yours are open. Close some.")
            )
            await self.close(protocol.CLOSE_TOO_MANY)
            return
        _sockets[chat.user_id] += 1
        self._user_id = chat.user_id
        self._attendant = asyncio.create_task(self._guard(self._attend()))

    async def _receive(self, message: dict[str, Any]) -> None:
        if not self._is_open or not await self._keeps_pace():
            return
        try:
            frame = protocol.parse(_text_of(message))
        except protocol.BadFrame as error:
            await self._say_no("bad_frame", str(error))
            return
        await self._guard(self._do(frame))

    # What a frame asks for

    async def _do(self, frame: protocol.ClientFrame) -> None:
        try:
            await self._handle(frame)
        except DomainError as error:
            key = str(frame.key) if isinstance(frame, protocol.Prompt) else ""
            if type(error) in _CLOSE_CODES and not await self._still_has_access():
                return
            await self._say_no(error.code, error.message, key=key, error=error)

    async def _handle(self, frame: protocol.ClientFrame) -> None:
        match frame:
            case protocol.Ping():
                await self._tell(protocol.Pong())
            case protocol.Watch(replies=replies):
                await self._watch(replies)
            case protocol.Stop(reply=reply):
                await self._in_database(socket_actions.stop, reply)
            case protocol.Prompt():
                created = await self._in_database(socket_actions.prompt, frame)
                self._told = [*self._told[-7:], created.prompt]
                await self._tell(created)

    async def _in_database(self, action: Callable[..., Any], *args: object) -> Any:
        """Run an action, which looks first whether this person may still do it."""
        return await in_thread(action, self._session_key, self._chat_id, *args)

    async def _watch(self, cursors: dict[UUID, str]) -> None:
        known = await in_thread(socket_actions.replies_of, self._chat_id, set(cursors))
        if known != set(cursors):
            raise ChatNotFound
        if len(known | set(self._followers)) > MAX_FOLLOWED:
            raise socket_actions.TooManyFollowed
        for reply_id, cursor in cursors.items():
            self._forget(reply_id)
            following_it = self._guard(self._follow(reply_id, cursor))
            self._followers[reply_id] = asyncio.create_task(following_it)

    # In the background

    async def _attend(self) -> None:
        """Pass on what concerns the whole chat, and look every minute who this still is."""
        async with notices.listening(self._chat_id) as inbox:
            running = await in_thread(socket_actions.running, self._chat_id)
            await self._tell(protocol.Hello(str(self._chat_id), running))
            while self._is_open:
                try:
                    async with asyncio.timeout(RECHECK_EVERY_S):
                        while True:
                            await self._pass_on(await inbox.get())
                except TimeoutError:
                    await self._still_has_access()

    async def _pass_on(self, notice: str) -> None:
        frame = json.loads(notice)
        if frame["type"] == protocol.Created.type and frame["prompt"] in self._told:
            return
        await self._send_text(notice)

    async def _follow(self, reply_id: UUID, cursor: str) -> None:
        # Mostly it begins at once, and there is nothing to say.
        ask_again_at = time.monotonic() + FIRST_QUEUED_AFTER_S
        async with aclosing(following.follow(reply_id, cursor)) as entries:
            async for entry in entries:
                if entry is not None:
                    await self._pass_on_entry(reply_id, entry)
                elif (now := time.monotonic()) >= ask_again_at:
                    ask_again_at = now + QUEUE_EVERY_S
                    place = await in_thread(socket_actions.place, reply_id)
                    if place is not None:
                        await self._tell(place)
        self._followers.pop(reply_id, None)

    async def _pass_on_entry(self, reply_id: UUID, entry: Entry) -> None:
        reply = str(reply_id)
        match entry.type:
            case "delta":
                await self._tell(protocol.Delta(reply, entry.cursor, entry.text))
            case "snapshot":
                await self._tell(protocol.Snapshot(reply, entry.cursor, entry.text))
            case "done":
                await self._tell(protocol.Done(reply, **entry.data))

    async def _guard(self, work: Awaitable[None]) -> None:
        """Let no fault of ours end in silence: it is logged, and the browser connects again."""
        try:
            await work
        except Exception:
            logger.exception("socket of chat %s failed", self._chat_id)
            await self.close(CLOSE_SERVER_ERROR)

    # Who may

    async def _still_has_access(self) -> bool:
        try:
            await in_thread(access.own_chat, self._session_key, self._chat_id)
        except DomainError as error:
            await self._refuse_access(error)
            return False
        return True

    async def _refuse_access(self, error: DomainError) -> None:
        await self._say_no(error.code, error.message)
        await self.close(_CLOSE_CODES.get(type(error), protocol.CLOSE_NOT_FOUND))

    async def _keeps_pace(self) -> bool:
        wait_s = self._pace.take()
        if not wait_s:
            self._refused = 0
            return True
        self._refused += 1
        if self._refused >= MOST_REFUSED:
            await self.close(protocol.CLOSE_TOO_MANY)
        elif self._refused == 1:
            text = _("A little slower, please.")
            await self._tell(protocol.Error("too_fast", text, retry_after_s=round(wait_s, 2)))
        return False

    # To the browser

    async def _say_no(
        self, code: str, message: str, *, key: str = "", error: DomainError | None = None
    ) -> None:
        retry_after_s = getattr(error, "retry_after_s", None)
        await self._tell(protocol.Error(code, message, key=key, retry_after_s=retry_after_s))

    async def _tell(self, frame: ServerFrame) -> None:
        await self._send_text(protocol.serialise(frame))

    async def _send_text(self, text: str) -> None:
        if self._is_open:
            await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int) -> None:
        if self._is_open:
            self._is_open = False
            await self._send({"type": "websocket.close", "code": code})
        self.let_go()

    def let_go(self) -> None:
        """End what runs in the background, and give back this person's place."""
        for reply_id in list(self._followers):
            self._forget(reply_id)
        if self._attendant is not None and self._attendant is not asyncio.current_task():
            self._attendant.cancel()
        if self._user_id is not None:
            _sockets[self._user_id] -= 1
            if not _sockets[self._user_id]:
                del _sockets[self._user_id]
            self._user_id = None

    def _forget(self, reply_id: UUID) -> None:
        task = self._followers.pop(reply_id, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()


def _text_of(message: dict[str, Any]) -> str:
    text = message.get("text")
    if text is None:
        raise protocol.BadFrame("expected a text frame")
    return str(text)
