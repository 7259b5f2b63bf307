"""Locks of PostgreSQL that a process holds until it ends, whatever ends it."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


class SessionLock:
    """One name; whoever holds it does so on the connection of this thread.

    A lost connection loses the lock too: who goes on after that asks `is_held` first.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def take(self) -> bool:
        """Whether it is ours now. Nobody waits."""
        return self._ask("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))")

    def release(self) -> None:
        """Let others have it."""
        self._ask("SELECT pg_advisory_unlock(hashtextextended(%s, 0))")

    def is_held(self) -> bool:
        """Whether by this connection. PostgreSQL shows the two halves of a lock's number."""
        return self._ask(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory'"
            " AND pid = pg_backend_pid() AND objsubid = 1"
            " AND (classid::bigint << 32 | objid::bigint) = hashtextextended(%s, 0))"
        )

    def is_free(self) -> bool:
        """Whether no process holds it."""
        is_free = self.take()
        if is_free:
            self.release()
        return is_free

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Hold it during the block, if it can be had: the block is told."""
        is_ours = self.take()
        try:
            yield is_ours
        finally:
            if is_ours:
                self.release()

    def _ask(self, query: str) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(query, [self._name])
            return bool(cursor.fetchone()[0])
