"""A browser that does not give up: sends its prompt until it is taken, follows until the end."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

RECONNECT_AFTER_S = 0.2


@dataclass
class Visitor:
    """One tab with one chat; what it was shown of the reply to its one prompt."""

    port: int
    chat_id: object
    cookie: str
    prompt: str
    reply: str = ""
    text: str = ""
    state: str = ""
    cursor: str = ""
    # How often the text began again: an attempt was lost, or Redis.
    restarts: int = 0
    # More text came after the end, or an entry came twice.
    wrongs: list[str] = field(default_factory=list)
    key: str = field(default_factory=lambda: str(uuid4()))

    async def stay(self, patience_s: float) -> None:
        """Connect again and again until the reply is final."""
        async with asyncio.timeout(patience_s):
            while not self.state:
                try:
                    await self._visit()
                except (OSError, WebSocketException, EOFError):
                    await asyncio.sleep(RECONNECT_AFTER_S)

    async def _visit(self) -> None:
        origin: Any = f"http://127.0.0.1:{self.port}"
        address = f"ws://127.0.0.1:{self.port}/ws/chat/{self.chat_id}/"
        headers = {"Cookie": f"sessionid={self.cookie}"}
        async with connect(address, origin=origin, additional_headers=headers, proxy=None) as wire:
            await wire.send(json.dumps(self._first_frame()))
            async for text in wire:
                frame = json.loads(text)
                if frame["type"] == "created" and not self.reply:
                    (self.reply,) = frame["replies"]
                    await wire.send(json.dumps(self._first_frame()))
                self._take(frame)
                if self.state:
                    return

    def _first_frame(self) -> dict[str, Any]:
        if self.reply:
            return {"type": "watch", "replies": {self.reply: self.cursor}}
        return {"type": "prompt", "key": self.key, "text": self.prompt}

    def _take(self, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        if kind in ("delta", "snapshot") and _order(frame["cursor"]) <= _order(self.cursor):
            self.wrongs.append(f"{kind} {frame['cursor']} after {self.cursor}")
        if kind == "snapshot":
            self.restarts += bool(self.text)
            self.text, self.cursor = frame["text"], frame["cursor"]
        elif kind == "delta":
            self.text, self.cursor = self.text + frame["text"], frame["cursor"]
        elif kind == "done":
            self.state = frame["state"]
        elif kind == "error":
            self.wrongs.append(frame["message"])


def _order(cursor: str) -> tuple[int, ...]:
    return tuple(int(part) for part in cursor.split("-")) if cursor else (0, 0)
