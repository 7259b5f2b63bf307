"""The tokens of running replies on their way to readers: one Redis Stream a reply.

Entries are numbered `<attempt>-<number>`, so Redis itself refuses what comes twice or from an older
attempt. Redis may lose all of it: the writer then sends the whole text, and the end is in the
database. `notices.py` carries what concerns a whole chat.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID
from weakref import WeakKeyDictionary

import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from oasst.lib.queue import redis_client

logger = logging.getLogger(__name__)

EntryType = Literal["snapshot", "delta", "tool", "done"]
BEGINNING = "0-0"
# A reader that comes late still finds the stream; after that, the text is in the database.
KEEP_AFTER_END_S = 3600
KEEP_WHILE_RUNNING_S = 24 * 3600
POLL_S = 0.05
MAX_ENTRIES = 500


class Superseded(Exception):
    """A newer attempt writes this stream, or the reply has ended."""


@dataclass(frozen=True)
class Entry:
    """One event: `snapshot` replaces the text so far, `delta` adds to it, `done` ends the stream.

    `data` of `done`: state, finish_reason, error. Of `tool`: name, input, output.
    """

    cursor: str
    type: EntryType
    text: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def attempt(self) -> int:
        return int(self.cursor.partition("-")[0])

    @property
    def number(self) -> int:
        return int(self.cursor.partition("-")[2])


def key_of(reply_id: UUID) -> str:
    return f"chat:reply:{reply_id}"


# Writing


class Writer:
    """Writes one attempt at a reply. Never waits long and never fails because Redis is away."""

    def __init__(self, reply_id: UUID, attempt: int, text: str = "") -> None:
        """Begin with `text`, which readers get first: what a continued reply carries on."""
        self.text = text
        self.number = 0  # of the last entry, whether or not it came through
        self._key = key_of(reply_id)
        self._attempt = attempt
        # Readers may lack something: the next entry is the whole text.
        self._is_behind = True
        self._has_warned = False

    async def append(self, text: str) -> None:
        """Send more text. Raises Superseded."""
        self.text += text
        if not self._is_behind:
            self._is_behind = not await self._add("delta", text, only_if_there=True)
        if self._is_behind:
            self._is_behind = not await self._add("snapshot", self.text)

    async def tool(self, step: dict[str, str]) -> None:
        """Tell of a tool's step. Raises Superseded."""
        await self._add("tool", "", data=step)

    async def _add(
        self,
        kind: EntryType,
        text: str,
        *,
        data: dict[str, str] | None = None,
        only_if_there: bool = False,
    ) -> bool:
        """Add one entry; False if Redis is away, or has lost the stream."""
        self.number += 1
        fields: dict[Any, Any] = _fields(kind, text, data or {})
        try:
            async with async_client().pipeline(transaction=False) as pipeline:
                entry_id = f"{self._attempt}-{self.number}"
                pipeline.xadd(self._key, fields, id=entry_id, nomkstream=only_if_there)
                if not only_if_there:
                    pipeline.expire(self._key, KEEP_WHILE_RUNNING_S)
                added, *_rest = await pipeline.execute()
        except RedisError as error:
            if isinstance(error, ResponseError) and "equal or smaller" in str(error):
                raise Superseded(self._key) from None
            # Also one that answers, but is full or read-only: the writer sends all of it later.
            if not self._has_warned:
                logger.warning("stream %s is behind: %s", self._key, type(error).__name__)
            self._has_warned = True
            return False
        return added is not None


def end(reply_id: UUID, attempt: int, data: dict[str, Any], *, after: int | None = None) -> None:
    """Tell readers that the reply is final; they look into the database if this gets lost.

    `after` is the number of the attempt's last entry, where it is known: readers see then whether
    they have all of it.
    """
    key = key_of(reply_id)
    number = "*" if after is None else after + 1
    fields: dict[Any, Any] = _fields("done", "", data)
    try:
        with redis_client().pipeline(transaction=False) as pipeline:
            pipeline.xadd(key, fields, id=f"{attempt}-{number}")
            pipeline.expire(key, KEEP_AFTER_END_S)
            pipeline.execute()
    except RedisError as error:  # also if a newer attempt has ended it
        logger.warning("end of %s was not sent: %s", key, type(error).__name__)


def _fields(kind: EntryType, text: str, data: dict[str, Any]) -> dict[str, str]:
    fields: dict[str, str] = {"type": kind}
    if text:
        fields["text"] = text
    if data:
        fields["data"] = json.dumps(data)
    return fields


# Reading


def forget(reply_ids: Iterable[UUID]) -> None:
    """Remove what Redis still holds of replies that are deleted; without Redis it expires."""
    keys = [key_of(reply_id) for reply_id in reply_ids]
    try:
        for start in range(0, len(keys), 500):
            redis_client().delete(*keys[start : start + 500])
    except RedisError as error:
        logger.warning("streams are not removed: %s", type(error).__name__)


def shown_text(reply_id: UUID) -> str:
    """What readers have been shown of the newest attempt; "" if Redis lost it."""
    try:
        rows = redis_client().xrange(key_of(reply_id))
    except RedisError:
        return ""
    text = ""
    for entry in _entries(rows):
        if entry.type in ("snapshot", "delta"):
            text = entry.text if entry.type == "snapshot" else text + entry.text
    return text


async def read(reply_id: UUID, after: str = "", *, wait_s: float = 1.0) -> list[Entry]:
    """Give the entries after a cursor ("" for the beginning), waiting up to `wait_s` for one.

    Empty also while Redis is away. All readers of a process share one request every 50 ms.
    """
    return await _of_this_loop(_hubs, _Hub).read(key_of(reply_id), after or BEGINNING, wait_s)


@dataclass(eq=False)
class _Reader:
    key: str
    after: str
    news: asyncio.Future[list[Entry]]


class _Hub:
    """Asks Redis for news of every stream that somebody reads in this event loop."""

    def __init__(self) -> None:
        self._readers: set[_Reader] = set()
        self._task: asyncio.Task[None] | None = None

    async def read(self, key: str, after: str, wait_s: float) -> list[Entry]:
        reader = _Reader(key, after, asyncio.get_running_loop().create_future())
        self._readers.add(reader)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ask_while_read())
        try:
            return await asyncio.wait_for(reader.news, wait_s)
        except TimeoutError:
            return []
        finally:
            self._readers.discard(reader)

    async def _ask_while_read(self) -> None:
        loop = asyncio.get_running_loop()
        while self._readers:
            ask_again_at = loop.time() + POLL_S
            try:
                await self._ask()
            except RedisError as error:
                logger.debug("streams cannot be read: %s", type(error).__name__)
            await asyncio.sleep(max(0.0, ask_again_at - loop.time()))

    async def _ask(self) -> None:
        by_key: dict[str, list[_Reader]] = defaultdict(list)
        for reader in self._readers:
            by_key[reader.key].append(reader)
        earliest: dict[Any, Any] = {
            key: min((reader.after for reader in readers), key=_position)
            for key, readers in by_key.items()
        }
        found = await async_client().xread(earliest, count=MAX_ENTRIES)
        for key, rows in _pairs(found):
            entries = _entries(rows)
            for reader in by_key[key]:
                news = [e for e in entries if _position(e.cursor) > _position(reader.after)]
                if news and not reader.news.done():
                    reader.news.set_result(news)


def _pairs(found: Any) -> list[tuple[str, Any]]:
    """Read XREAD's answer, a mapping in RESP3 and a list in RESP2."""
    if isinstance(found, dict):
        return [(_text(key), rows[0] if rows else []) for key, rows in found.items()]
    return [(_text(key), rows) for key, rows in found or []]


def _entries(rows: Any) -> list[Entry]:
    entries = []
    for cursor, raw in rows:
        fields = {_text(name): _text(value) for name, value in raw.items()}
        kind: Any = fields["type"]
        data = json.loads(fields.get("data", "{}"))
        entries.append(Entry(_text(cursor), kind, fields.get("text", ""), data))
    return entries


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _position(cursor: str) -> tuple[int, int]:
    attempt, _dash, number = cursor.partition("-")
    return int(attempt), int(number)


# Connections: one client for each event loop


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, _Hub] = WeakKeyDictionary()
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()


def async_client() -> redis.asyncio.Redis:
    """Give the client of the running event loop. It tries once: a repeated XADD is a new one."""
    return _of_this_loop(_clients, _connect)


def _connect() -> redis.asyncio.Redis:
    return redis.asyncio.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=1,
        socket_timeout=1,
        retry=Retry(NoBackoff(), 0),
    )


def _of_this_loop(known: WeakKeyDictionary, make: Any) -> Any:
    loop = asyncio.get_running_loop()
    if loop not in known:
        known[loop] = make()
    return known[loop]


async def close() -> None:
    """Close the connections of this event loop, before it ends."""
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()
