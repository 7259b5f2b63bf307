"""Repairs to daphne 4.2, without which a server that ends tells no browser so and drops what it is
just answering, and one that sends a large file to a slow reader holds all of it in memory."""

import asyncio
import os
import threading
from typing import Any

from daphne.http_protocol import WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings
from twisted.internet.defer import Deferred
from twisted.web.http import HTTPChannel

_listen_success = Server.listen_success
_kill_all_applications = Server.kill_all_applications
_handle_reply = Server.handle_reply

# What is answered has to leave before the connections are cut.
FLUSH_S = 0.2
GRACE_S = 4


def repair() -> None:
    """Change daphne in this process; doing it twice changes nothing."""
    WebSocketProtocol.serverClose = _close
    Server.listen_success = _note_port
    Server.kill_all_applications = _end
    Server.handle_reply = _reply


def _close(self: WebSocketProtocol, code: int | None = None) -> None:
    """Send the code that the application chose.

    daphne asks autobahn for it, which refuses 1012 (the server restarts) to applications.
    """
    self.sendCloseFrame(code=1000 if code is None else code)


class _Flow:
    """Whether a reader has taken most of what was sent; to Twisted, an `IPushProducer`."""

    def __init__(self) -> None:
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()
        self.wait = self._may_go_on.wait

    def pauseProducing(self) -> None:  # noqa: N802
        self._may_go_on.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self._may_go_on.set()

    stopProducing = resumeProducing  # noqa: N815


async def _reply(self: Server, protocol: Any, message: dict[str, Any]) -> None:
    """Send; where there is more to come, let the application go on once most of it has left."""
    flow = _flow(protocol, message) if isinstance(protocol, WebRequest) else None
    await _handle_reply(self, protocol, message)
    if flow is not None:
        await flow.wait()


def _flow(request: WebRequest, message: dict[str, Any]) -> _Flow | None:
    """What tells whether the reader of a stream keeps up; None before it and at its end."""
    if message["type"] != "http.response.body" or request.channel is None:
        return None
    if not message.get("more_body"):
        request.unregisterProducer()
        return None
    if request.producer is None:
        request.registerProducer(_Flow(), True)
    flow: _Flow = request.producer
    return flow


def _note_port(self: Server, port: Any) -> None:
    """Remember what to stop listening on."""
    self.ports = [*getattr(self, "ports", ()), port]
    _listen_success(self, port)


def _end(self: Server) -> Any:
    """Take no more connections, close sockets, and give requests WEB_DRAIN_S to be answered.

    Twisted waits for what this returns before it ends.
    """
    for port in getattr(self, "ports", ()):
        port.stopListening()
    HTTPChannel.checkPersistence = _say_close  # type: ignore[method-assign]
    for protocol, application in _applications(self).items():
        if isinstance(protocol, WebRequest):
            _close_after(protocol)
        else:
            application.cancel()
    _leave_behind_what_hangs()
    return Deferred.fromFuture(asyncio.ensure_future(_drain(self)))


def _leave_behind_what_hangs() -> None:
    """End some time after the drain, whatever threads still do: Python would wait for them."""
    ending = threading.Timer(settings.WEB_DRAIN_S + GRACE_S, os._exit, [0])
    ending.daemon = True
    ending.start()


async def _drain(self: Server) -> None:
    loop = asyncio.get_running_loop()
    deadline, is_quiet = loop.time() + settings.WEB_DRAIN_S, False
    while (left_s := deadline - loop.time()) > 0:
        answering = [
            application
            for protocol, application in _applications(self).items()
            if isinstance(protocol, WebRequest) and not application.done()
        ]
        if answering:
            await asyncio.wait(answering, timeout=left_s)
        elif is_quiet:
            break
        else:
            await asyncio.sleep(FLUSH_S)
        is_quiet = not answering
    self.connections = {protocol: self.connections[protocol] for protocol in _applications(self)}
    await _kill_all_applications(self).asFuture(loop)


def _applications(self: Server) -> dict[Any, asyncio.Future[None]]:
    """What runs, by its protocol; a request that became a socket has nothing running."""
    return {
        protocol: details["application_instance"]
        for protocol, details in self.connections.items()
        if "application_instance" in details
    }


def _say_close(self: HTTPChannel, request: Any, version: bytes) -> bool:
    """Answer, but let no more requests come by this connection."""
    request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
    return False


def _close_after(request: WebRequest) -> None:
    request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
    channel = getattr(request, "channel", None)  # Twisted deletes it once all is answered
    if channel is not None:
        channel.persistent = False
