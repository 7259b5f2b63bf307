"""What concerns a whole chat and every tab that shows it: Redis pub/sub, lost if nobody listens."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID
from weakref import WeakKeyDictionary

from redis.exceptions import RedisError

from chat_app import protocol, streams
from oasst.lib.queue import redis_client

logger = logging.getLogger(__name__)

PREFIX = "chat:notices:"
RECONNECT_AFTER_S = 1.0
MAX_WAITING = 100

Inbox = asyncio.Queue[str]


def notify(chat_id: UUID, frame: protocol.ServerFrame) -> None:
    """Send a frame to every socket of a chat, in any process."""
    try:
        redis_client().publish(f"{PREFIX}{chat_id}", protocol.serialise(frame))
    except RedisError as error:
        logger.warning("notice for chat %s was not sent: %s", chat_id, type(error).__name__)


@asynccontextmanager
async def listening(chat_id: UUID) -> AsyncIterator[Inbox]:
    """Give the queue of the chat's frames, as JSON texts, from now on."""
    board = _board_of_this_loop()
    inbox: Inbox = asyncio.Queue(MAX_WAITING)
    await board.add(str(chat_id), inbox)
    try:
        yield inbox
    finally:
        board.remove(str(chat_id), inbox)


class _Board:
    """One subscription for all sockets of an event loop; it ends with the last of them."""

    def __init__(self) -> None:
        self._inboxes: dict[str, set[Inbox]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self._is_subscribed = asyncio.Event()

    async def add(self, chat_id: str, inbox: Inbox) -> None:
        self._inboxes[chat_id].add(inbox)
        if self._task is None or self._task.done():
            self._is_subscribed.clear()
            self._task = asyncio.create_task(self._run())
        try:
            await asyncio.wait_for(self._is_subscribed.wait(), RECONNECT_AFTER_S)
        except TimeoutError:
            logger.warning("notices are late: Redis does not answer")

    def remove(self, chat_id: str, inbox: Inbox) -> None:
        self._inboxes[chat_id].discard(inbox)
        if not self._inboxes[chat_id]:
            del self._inboxes[chat_id]
        if not self._inboxes and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except RedisError as error:
                logger.warning("notices stopped: %s", type(error).__name__)
            await asyncio.sleep(RECONNECT_AFTER_S)

    async def _listen(self) -> None:
        async with streams.async_client().pubsub() as subscription:
            await subscription.psubscribe(f"{PREFIX}*")
            async for message in subscription.listen():
                if message["type"] == "psubscribe":
                    self._is_subscribed.set()
                elif message["type"] == "pmessage":
                    chat_id = message["channel"].decode().removeprefix(PREFIX)
                    self._deliver(chat_id, message["data"].decode())

    def _deliver(self, chat_id: str, text: str) -> None:
        for inbox in self._inboxes.get(chat_id, ()):
            if not inbox.full():
                inbox.put_nowait(text)


_boards: WeakKeyDictionary[asyncio.AbstractEventLoop, _Board] = WeakKeyDictionary()


def _board_of_this_loop() -> _Board:
    loop = asyncio.get_running_loop()
    if loop not in _boards:
        _boards[loop] = _Board()
    return _boards[loop]
