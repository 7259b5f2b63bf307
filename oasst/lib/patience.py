"""Waiting, but not for ever: what pages do when PostgreSQL or Redis is there but says nothing.

A server that is gone refuses at once; one that hangs would hold every page that asks it.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, TimeoutError
from redis.retry import Retry

T = TypeVar("T")

# How long Redis, once it failed to answer, is believed to be away.
PAUSE_S = 2.0
_SILENCE = (ConnectionError, TimeoutError)


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that ends itself when the server is silent for `patience_s`; None waits on.

    What was under way may or may not have happened, as when a connection breaks.
    """

    patience_s: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Do what psycopg asks to be waited for. Raises OperationalError."""
        if timeout is not None or self.patience_s is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience_s)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.close()
            raise


def impatient(patience_s: float) -> type[ImpatientConnection]:
    """The class of connections that wait so long."""
    return type("Connection", (ImpatientConnection,), {"patience_s": patience_s})


class Once(Retry):
    """Tries twice, and when Redis is silent says so at once for a while, to all who share this.

    A page asks Redis several times: it waits for one of these, not for each. After the pause one
    caller tries again, the others go on without Redis until it had an answer.
    """

    def __init__(self) -> None:
        super().__init__(NoBackoff(), 1)
        self._is_silent = False
        self._ask_again_at = 0.0

    def __deepcopy__(self, memo: dict[int, Any]) -> "Once":
        """Be the same for all connections of a client, which copies it for each."""
        return self

    def call_with_retry(
        self, do: Callable[[], T], fail: Callable[..., Any], *more: Any, **named: Any
    ) -> T:
        """Do it. Raises what Redis raises, or its ConnectionError at once."""
        now = time.monotonic()
        if self._is_silent and now < self._ask_again_at:
            raise ConnectionError("Redis did not answer a moment ago")
        self._ask_again_at = now + PAUSE_S
        try:
            result: T = super().call_with_retry(do, fail, *more, **named)
        except _SILENCE:
            self._is_silent, self._ask_again_at = True, time.monotonic() + PAUSE_S
            raise
        self._is_silent = False
        return result
