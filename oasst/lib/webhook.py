"""Sends JSON to an address that the operator has configured. Nobody else can name one.

Only https, but for a relay on this machine; no redirect is followed, so an address cannot lead
anywhere else; and whoever answers slowly or at length is left.
"""

import json
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
TIMEOUT_S = 5.0
MOST_OF_ANSWER = 2048


class NotDelivered(Exception):
    """The receiver could not be reached or did not want it; the text names no address."""


def checked(name: str, url: str) -> str:
    """`url`, as the setting `name` has it, if it may be called. Raises ImproperlyConfigured."""
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in LOOPBACK
    if url and not (parts.hostname and (parts.scheme == "https" or is_local)):
        raise ImproperlyConfigured(
            f"{name}: expected an address that begins with https:// (http:// only for localhost)"
        )
    if parts.username or parts.password:
        raise ImproperlyConfigured(f"{name}: no name or password in the address, please")
    return url


def deliver(url: str, body: dict[str, Any], *, timeout_s: float = TIMEOUT_S) -> None:
    """POST `body` as JSON. Raises NotDelivered unless the answer is 2xx; redirects are none."""
    parts = urlsplit(url)
    connection = _connection(parts, timeout_s)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    headers = {"Content-Type": "application/json", "User-Agent": "open-assistant"}
    try:
        connection.request("POST", target, json.dumps(body).encode(), headers)
        answer = connection.getresponse()
        answer.read(MOST_OF_ANSWER)
    except (TimeoutError, OSError, HTTPException, ssl.SSLError) as error:
        raise NotDelivered(type(error).__name__) from None
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise NotDelivered(f"answered {answer.status}")


def _connection(parts: SplitResult, timeout_s: float) -> HTTPConnection:
    assert parts.hostname  # `checked` saw to it
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return HTTPSConnection(parts.hostname, parts.port, timeout=timeout_s, context=context)
    return HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
