"""Reads append-only tables from where one stopped, and misses no row that is committed late.

Numbers of rows are drawn before their transactions commit, so a row can appear below one that was
read. What was read counts as done only when every transaction is over that was open then;
until that, it is read again: whoever reads must not mind seeing a row twice.
"""

from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from leaderboard_app.models import Cursor


class Reader:
    """One table, read by one reader at a time. The caller holds a lock that ensures it."""

    def __init__(self, name: str, rows: QuerySet[Any]) -> None:
        self.rows = rows
        self._cursor, _ = Cursor.objects.get_or_create(name=name)

    def read(self, limit: int) -> tuple[list[Any], bool]:
        """Up to `limit` new rows, and those again that may have been missed; are there more?"""
        cursor = self._cursor
        settled = _oldest_open() >= cursor.candidate_xid
        late = Q(pk__gt=cursor.done_to, pk__lte=cursor.read_to)
        again = list(self.rows.filter(late).order_by("pk"))
        new = list(self.rows.filter(pk__gt=cursor.read_to).order_by("pk")[:limit])
        if settled:
            cursor.done_to, cursor.candidate = cursor.candidate, cursor.read_to
            cursor.candidate_xid = _next_transaction()
        if new:
            cursor.read_to = new[-1].pk
        return again + new, len(new) == limit

    def save(self) -> None:
        """Remember how far it came."""
        self._cursor.save()


def _oldest_open() -> int:
    return _number("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


def _next_transaction() -> int:
    return _number("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")


def _number(query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])
