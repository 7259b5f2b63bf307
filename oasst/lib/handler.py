"""Answers each request of the ASGI server in one thread, from the first middleware to the last."""

from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest


class ThreadedHandler(ASGIHandler):
    """Django's, for middleware and views that are not async, as nearly all of ours.

    Django goes from the loop to a thread for the middleware, back to the loop, and to a thread for
    the view. That costs time, and a thread that waits for a loop which has ended waits for ever.
    """

    def __init__(self) -> None:
        self.load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> Any:
        """Do it in the thread that this request has to itself."""
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)
