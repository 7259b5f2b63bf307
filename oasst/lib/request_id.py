"""A short id for every request: in the response header, on error pages and in every log line,
so that a person's "it failed" can be found in the log."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

HEADER = "X-Request-ID"

_current: ContextVar[str] = ContextVar("request_id", default="-")


def current() -> str:
    """The id of the request being answered; "-" outside of one."""
    return _current.get()


@sync_and_async_middleware
def request_id_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[..., Any]:
    """Stands first in MIDDLEWARE, so that whatever fails later has an id."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            _current.set(secrets.token_hex(6))
            response = await get_response(request)
            response.headers[HEADER] = current()
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        _current.set(secrets.token_hex(6))
        response = get_response(request)
        response.headers[HEADER] = current()
        return response

    return answer


class AddRequestId(logging.Filter):
    """Gives log records `request_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current()
        return True
