"""Answers each request of the ASGI server in one thread, from the first middleware to the last."""

import asyncio
import threading
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.db import close_old_connections
from django.http import FileResponse, HttpRequest


class ThreadedHandler(ASGIHandler):
    """Django's, for middleware and views that are not async, as nearly all of ours.

    Django goes from the loop to a thread for the middleware, back to the loop, and to a thread for
    the view. That costs time, and a thread that waits for a loop which has ended waits for ever.
    """

    def __init__(self) -> None:
        self.load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> Any:
        """Do it in the thread that this request has to itself."""
        is_given_up = threading.Event()
        try:
            return await sync_to_async(self._answer, thread_sensitive=True)(request, is_given_up)
        except asyncio.CancelledError:
            is_given_up.set()
            raise

    def _answer(self, request: HttpRequest, is_given_up: threading.Event) -> Any:
        """Answer, and give the connection back to the pool here and now.

        Django does that later, from the loop, and not at all once the server has given the request
        up: each one that took long after its browser had gone would cost the pool a connection.
        A file that is sent needs none, however long it takes.
        """
        response = self.get_response(request)
        if is_given_up.is_set():
            response.close()
        is_file = isinstance(response, FileResponse)
        if is_given_up.is_set() or is_file or not response.streaming:
            close_old_connections()
        return response
