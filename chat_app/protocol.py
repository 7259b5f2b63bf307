"""The frames of `/ws/chat/<uuid>/`: what a browser may send, what it gets. Pure.

Every frame is one JSON object with `type`. Text of a reply travels as `delta` frames, each with a
`cursor` ("attempt-number"): whoever reconnects sends the last one seen and gets what came after.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar
from uuid import UUID

VERSION = 1
MAX_FRAME_BYTES = 64 * 1024

# Close codes of our own; 4000-4999 are free for applications (RFC 6455, 7.4.2).
CLOSE_SIGNED_OUT = 4401
CLOSE_NOT_FOUND = 4404
CLOSE_TOO_MANY = 4429
CLOSE_GOING_AWAY = 1012


class BadFrame(ValueError):
    """A frame that is not of this protocol. The text is safe to send back."""


# From the browser


@dataclass(frozen=True)
class Watch:
    """Follow these replies, each from after its cursor ("" for the beginning)."""

    type: ClassVar[str] = "watch"
    replies: dict[UUID, str]


@dataclass(frozen=True)
class Prompt:
    """Say something after `parent` (None: the first). `key` makes a repeated send harmless."""

    type: ClassVar[str] = "prompt"
    key: UUID
    text: str
    parent: UUID | None = None


@dataclass(frozen=True)
class Stop:
    """End this reply now, and keep what is there."""

    type: ClassVar[str] = "stop"
    reply: UUID


@dataclass(frozen=True)
class Ping:
    type: ClassVar[str] = "ping"


ClientFrame = Watch | Prompt | Stop | Ping


# To the browser


@dataclass(frozen=True)
class Hello:
    """The first frame: the protocol's version, and the replies of this chat that are not final."""

    type: ClassVar[str] = "hello"
    chat: str
    replies: list[str] = field(default_factory=list)
    version: int = VERSION


@dataclass(frozen=True)
class Created:
    """A prompt and its replies now exist; every tab of this chat gets it."""

    type: ClassVar[str] = "created"
    prompt: str
    replies: list[str]
    key: str = ""


@dataclass(frozen=True)
class Queued:
    """The reply waits: place in the queue from 1, its length, seconds to go (None: unknown)."""

    type: ClassVar[str] = "queued"
    reply: str
    position: int
    size: int
    eta_s: float | None = None
    has_worker: bool = True


@dataclass(frozen=True)
class Stalled:
    """The worker that writes the reply is not heard of; it is queued again in a moment."""

    type: ClassVar[str] = "stalled"
    reply: str


@dataclass(frozen=True)
class Delta:
    """More text of a reply."""

    type: ClassVar[str] = "delta"
    reply: str
    cursor: str
    text: str


@dataclass(frozen=True)
class Snapshot:
    """The whole text so far: forget what was shown (a new attempt, or the stream was lost)."""

    type: ClassVar[str] = "snapshot"
    reply: str
    cursor: str
    text: str


@dataclass(frozen=True)
class Done:
    """The reply is final: `state` of MessageState. The page fetches its HTML from `/chat/…`."""

    type: ClassVar[str] = "done"
    reply: str
    state: str
    finish_reason: str = ""
    error: str = ""


@dataclass(frozen=True)
class Title:
    """The chat got a title."""

    type: ClassVar[str] = "title"
    title: str


@dataclass(frozen=True)
class Error:
    """A frame was refused; `key` is the refused prompt's, whose text the page still has."""

    type: ClassVar[str] = "error"
    code: str
    message: str
    key: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Pong:
    type: ClassVar[str] = "pong"


ServerFrame = Hello | Created | Queued | Stalled | Delta | Snapshot | Done | Title | Error | Pong


def serialise(frame: ServerFrame) -> str:
    """One frame as JSON text."""
    return json.dumps({"type": frame.type, **asdict(frame)}, ensure_ascii=False)


def parse(text: str) -> ClientFrame:
    """Read a browser's frame. Raises BadFrame with what was expected."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_FRAME_BYTES:
        raise BadFrame(f"expected at most {MAX_FRAME_BYTES} bytes")
    try:
        body = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadFrame("expected one JSON object") from None
    if not isinstance(body, dict):
        raise BadFrame("expected one JSON object")
    read = _READERS.get(str(body.get("type")))
    if read is None:
        raise BadFrame(f"type: expected one of {', '.join(_READERS)}")
    return read(body)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read_watch(body: Mapping[str, Any]) -> Watch:
    replies = body.get("replies")
    if not isinstance(replies, dict) or len(replies) > 100:
        raise BadFrame("replies: expected an object of at most 100 cursors")
    return Watch(replies={_uuid("replies", key): _cursor(value) for key, value in replies.items()})


def _read_prompt(body: Mapping[str, Any]) -> Prompt:
    parent, text = body.get("parent"), body.get("text")
    if not isinstance(text, str):
        raise BadFrame("text: expected a text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadFrame("text: expected whole characters") from None
    return Prompt(
        key=_uuid("key", body.get("key")),
        text=text,
        parent=None if parent is None else _uuid("parent", parent),
    )


def _read_stop(body: Mapping[str, Any]) -> Stop:
    return Stop(reply=_uuid("reply", body.get("reply")))


def _read_ping(_body: Mapping[str, Any]) -> Ping:
    return Ping()


def _uuid(name: str, value: object) -> UUID:
    if isinstance(value, str) and len(value) == 36:
        try:
            return UUID(value)
        except ValueError:
            pass
    raise BadFrame(f"{name}: expected a UUID")


def _cursor(value: object) -> str:
    if value == "":
        return ""
    if isinstance(value, str) and len(value) <= 40:
        attempt, dash, number = value.partition("-")
        if dash and _is_number(attempt) and _is_number(number):
            return value
    raise BadFrame("cursor: expected attempt-number")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


_READERS: dict[str, Callable[[Mapping[str, Any]], ClientFrame]] = {
    Watch.type: _read_watch,
    Prompt.type: _read_prompt,
    Stop.type: _read_stop,
    Ping.type: _read_ping,
}
