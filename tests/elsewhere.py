"""What another process holds: a lock on a connection of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

_TAKE = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"


def connected() -> psycopg.Connection[Any]:
    """A connection of another process to the database of the test."""
    params = connection.get_connection_params()
    return psycopg.connect(**{name: params[name] for name in ("dbname", "host", "user")})


def may_take(name: str) -> bool:
    """Whether another process would get the lock."""
    with connected() as there:
        row = there.execute(_TAKE, [name]).fetchone()
        there.execute("SELECT pg_advisory_unlock_all()")
    assert row is not None
    return row[0]


@contextmanager
def held_elsewhere(name: str) -> Iterator[None]:
    """Another process has the lock."""
    with connected() as there:
        assert there.execute(_TAKE, [name]).fetchone() == (True,)
        yield
        # A server process may take a moment to end, and holds its locks until then.
        there.execute("SELECT pg_advisory_unlock_all()")
