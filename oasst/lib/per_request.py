"""What one request reads once, however many parts of the site ask for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponseBase

T = TypeVar("T")
_known: ContextVar[dict[str, Any] | None] = ContextVar("known_to_the_request", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Remember within; nothing is kept outside, so that jobs and tests read what holds now."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def once(key: str, read: Callable[[], T]) -> T:
    """What `read` gave when this request first asked."""
    known = _known.get()
    if known is None:
        return read()
    if key not in known:
        known[key] = read()
    found: T = known[key]
    return found


def keep(key: str, value: Any) -> None:
    """Remember what was read along with something else."""
    known = _known.get()
    if known is not None:
        known[key] = value


def forget(key: str) -> None:
    """Have it read again, because it has changed."""
    known = _known.get()
    if known is not None:
        known.pop(key, None)


def take(key: str) -> Any:
    """What was remembered, for one who asks: the next one gets None."""
    known = _known.get()
    return None if known is None else known.pop(key, None)


def remember_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Gives each request a memory of its own."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with remembering():
            return get_response(request)

    return middleware
