"""The ASGI entry point that daphne serves: pages over HTTP, the chat's sockets."""

import os
import threading
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oasst.settings")
os.environ.setdefault("DATABASE_POOL_SIZE", "10")
# A page is answered within five seconds, if only by saying that the database is too busy.
os.environ.setdefault("DATABASE_STATEMENT_TIMEOUT_MS", "4000")
os.environ.setdefault("DATABASE_PATIENCE_MS", "4500")

# First: everything below needs it.
django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import (
    AllowedHostsOriginValidator,
    OriginValidator,
    WebsocketDenier,
)
from channels.sessions import CookieMiddleware
from django.conf import settings
from django.urls import re_path

from chat_app.routing import websocket_urlpatterns
from oasst.lib import detection, server
from oasst.lib.admission import Admission
from oasst.lib.handler import ThreadedHandler

server.repair()


def _own_pages_only(application: Any) -> Any:
    """Let in sockets that pages of this site open.

    Where every host is allowed (development), that is the host the browser asked for: with `*` the
    validator would let in everybody's pages.
    """
    if "*" not in settings.ALLOWED_HOSTS:
        return AllowedHostsOriginValidator(application)

    async def checked(scope: Any, receive: Any, send: Any) -> Any:
        hosts = [value.decode("latin1") for name, value in scope["headers"] if name == b"host"]
        origins = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
        return await OriginValidator(application, origins)(scope, receive, send)

    return checked


# Beside the first requests, none of which has to wait for it.
threading.Thread(target=detection.warm_up, daemon=True).start()

sockets = URLRouter([*websocket_urlpatterns, re_path("", WebsocketDenier.as_asgi())])
application = ProtocolTypeRouter(
    {
        "http": Admission(ThreadedHandler(), at_once=settings.WEB_REQUESTS_AT_ONCE),
        "websocket": _own_pages_only(CookieMiddleware(sockets)),
    }
)
