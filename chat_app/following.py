"""Follows one reply to its end, for sockets and streamed answers of the API alike.

Redis gives the tokens; whatever it loses, the database gives the end.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from uuid import UUID

from chat_app import streams
from chat_app.enums import Hold
from chat_app.models import ChatMessage
from chat_app.streams import Entry
from oasst.lib.threads import in_thread

LOOK_AGAIN_S = 1.0


async def follow(reply_id: UUID, after: str = "") -> AsyncGenerator[Entry | None, None]:
    """Give every entry after a cursor ("" for the beginning); the last is `done`.

    None comes about once a second while there is nothing new: time to say where the reply stands
    in the queue. Ends without `done` if the reply was deleted. If the reply is final and tokens are
    missing, one `snapshot` has all of its text.
    """
    line = _Line(after)
    is_known = False
    while True:
        entries = await streams.read(reply_id, line.cursor, wait_s=LOOK_AGAIN_S) if is_known else []
        is_known = True
        for entry in entries:
            if line.take(entry):
                yield entry
            elif entry.type == "done":
                for last in await in_thread(_ending, reply_id) or [entry]:
                    yield last
            if entry.type == "done":
                return
        if not entries:
            ending = await in_thread(_ending, reply_id)
            for last in ending or ():
                yield last
            if ending is not None:
                return
            yield None


class _Line:
    """Passes on what fits together: after a gap only a snapshot does."""

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor
        self._has_gap = False

    def take(self, entry: Entry) -> bool:
        follows = entry.cursor == _next(self.cursor)
        self.cursor = entry.cursor
        self._has_gap = entry.type != "snapshot" and (self._has_gap or not follows)
        return not self._has_gap


def _next(cursor: str) -> str:
    attempt, _dash, number = cursor.partition("-")
    return f"{attempt}-{int(number) + 1}" if number else ""


def _ending(reply_id: UUID) -> list[Entry] | None:
    """Snapshot and end of a final reply; [] if it is gone; None while it goes on."""
    reply = ChatMessage.objects.filter(pk=reply_id).first()
    if reply is None:
        return []
    if not reply.is_final:
        return None
    cursor = f"{reply.attempt}-{2**63}"
    told = {"state": reply.state, "finish_reason": reply.finish_reason, "error": reply.error}
    text = "" if reply.hold == Hold.HELD else reply.text
    return [Entry(cursor, "snapshot", text), Entry(cursor, "done", data=told)]
