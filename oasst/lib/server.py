"""Two repairs to daphne 4.2, without which a server that ends tells no browser so."""

from typing import Any

from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol

_kill_all_applications = Server.kill_all_applications


def repair() -> None:
    """Change daphne in this process; doing it twice changes nothing."""
    WebSocketProtocol.serverClose = _close
    Server.kill_all_applications = _kill


def _close(self: WebSocketProtocol, code: int | None = None) -> None:
    """Send the code that the application chose.

    daphne asks autobahn for it, which refuses 1012 (the server restarts) to applications.
    """
    self.sendCloseFrame(code=1000 if code is None else code)


def _kill(self: Server) -> Any:
    """Forget first what has no application: the request that every socket once began as.

    daphne stumbles over the first of these, and then cancels nothing at all.
    """
    for protocol, details in list(self.connections.items()):
        if "application_instance" not in details:
            del self.connections[protocol]
    return _kill_all_applications(self)
