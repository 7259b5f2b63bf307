"""Lets in as many requests as a web process answers soon, and tells the others to come back.

Without a limit a burst leaves a queue that everybody waits in long after it is over. What answers
in parts over time (downloads, streamed chats) counts until its answer begins; sockets and static
files are not counted.
"""

import json
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest

from oasst.lib import pages

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

RETRY_AFTER_S = 5
# Monitors ask these, above all when there is much to do.
_ALWAYS = ("/healthz", "/readyz", "/metrics", settings.STATIC_URL)
_PROGRAMS = ("/api/", "/v1/")


class Admission:
    """Wraps the application that answers HTTP."""

    def __init__(self, application: Application, *, at_once: int) -> None:
        self._application = application
        self._at_once = at_once
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(_ALWAYS):
            await self._application(scope, receive, send)
        elif self._running >= self._at_once:
            await _refuse(scope, send)
        else:
            await self._count(scope, receive, send)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_counted = True
        self._running += 1

        def let_go() -> None:
            nonlocal is_counted
            self._running -= is_counted
            is_counted = False

        async def sending(message: dict[str, Any]) -> None:
            let_go()
            await send(message)

        try:
            await self._application(scope, receive, sending)
        finally:
            let_go()


async def _refuse(scope: Scope, send: Send) -> None:
    is_json = scope["path"].startswith(_PROGRAMS) or _asks_for_json(scope)
    body = _as_json() if is_json else pages.busy(ASGIRequest(scope, BytesIO()))
    kind = "application/json" if is_json else "text/html; charset=utf-8"
    headers = {"Content-Type": kind, "Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"}
    headers["Vary"] = "Accept, Accept-Language, Cookie"
    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    lines.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 503, "headers": lines})
    await send({"type": "http.response.body", "body": body})


def _asks_for_json(scope: Scope) -> bool:
    accepted = dict(scope["headers"]).get(b"accept", b"")
    return bool(accepted.startswith(b"application/json"))


def _as_json() -> bytes:
    message = "Very many people are here at this moment. Try again in a few seconds."
    return json.dumps({"error": {"code": "busy", "message": message}}).encode()
