"""How long migrations take on a collection of any size, and which tables they close, for how long.

The database is filled at the newest schema, taken back to where each app began, and brought
forward again one migration at a time; then the jobs run that migrations leave work to. What this
cannot show: rows of tables that came later than their app's first migration (going back drops
them), and waiting for others who use the tables.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from oasst.lib import database
from tasks_app import jobs, search_filling
from tasks_app.models import Message
from tasks_app.notice_records import EventCursor
from tests.benchmarks import collection, sql

# Where each app is taken back to, in an order in which none needs what another one lost.
BASES = {
    "training": "0001_initial",
    "leaderboard_app": "0001_points",
    "chat_app": "0001_initial",
    "tasks_app": "0001_initial",
    "accounts": "0002_groups",
}
SAMPLE_EVERY_S = 0.01
# Of each table and kind of lock, when it was held: from, to.
Locks = dict[tuple[str, str], list[list[float]]]
# Nobody else may read, or write, a table that is locked so.
BLOCKS_READERS = "AccessExclusiveLock"
BLOCKS_WRITERS = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock")
SLOW_MS = 200  # what is told of single migrations
_HELD = """
    SELECT c.relname, l.mode FROM pg_locks l
    JOIN pg_class c ON c.oid = l.relation
    WHERE l.pid = %s AND l.granted AND c.relkind = 'r' AND l.mode = ANY(%s)
"""


def measure(messages: int, *, say: Callable[..., None]) -> dict[str, Any]:
    """Build a database of so many messages, take it back, bring it forward."""
    with database.scratch("benchmark"):
        started = time.perf_counter()
        collection.build(messages)
        say(f"built {messages:,} messages in {time.perf_counter() - started:.0f} s")
        built = Message.objects.count()
        started = time.perf_counter()
        _go_back()
        say(f"went back in {time.perf_counter() - started:.0f} s")
        found = _go_forward(say=say)
        started = time.perf_counter()
        while EventCursor.objects.filter(source=search_filling.SOURCE).exists():
            jobs.fill_search_words()
        return {"messages": built, **found, "job_s": round(time.perf_counter() - started, 1)}


def _go_back() -> None:
    sql.run("SET statement_timeout = 0")
    for app, base in BASES.items():
        call_command("migrate", app, base, verbosity=0)
    sql.run("VACUUM (ANALYZE)")
    sql.run("CHECKPOINT")


def _go_forward(*, say: Callable[..., None]) -> dict[str, Any]:
    """Seconds in all, the longest locks, and the migrations that are not over at once."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    found = []
    for migration, _is_backwards in plan:
        tables = set(_filled_tables())
        started = time.perf_counter()
        with _watched(tables) as locks:
            call_command("migrate", migration.app_label, migration.name, verbosity=0)
        row = {
            "name": f"{migration.app_label}.{migration.name}",
            "seconds": round(time.perf_counter() - started, 2),
            "closed_ms": _longest(locks, (BLOCKS_READERS,)),
            "no_writing_ms": _longest(locks, (BLOCKS_READERS, *BLOCKS_WRITERS)),
            "tables": sorted({table for table, _mode in locks}),
        }
        found.append(row)
        say(row)
    return {
        "migrations": len(found),
        "seconds": round(sum(row["seconds"] for row in found), 1),
        "closed_ms": max(row["closed_ms"] for row in found),
        "no_writing_ms": max(row["no_writing_ms"] for row in found),
        "slow": [
            row for row in found if max(row["no_writing_ms"], row["seconds"] * 1000) > SLOW_MS
        ],
    }


def _filled_tables() -> Iterator[str]:
    """Those that a release that is still running may use."""
    names = sql.run(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '_'"
        " AND relnamespace = 'public'::regnamespace"
    )
    for (name,) in names:
        if sql.run(f'SELECT EXISTS (SELECT FROM "{name}")')[0][0]:
            yield name


def _longest(locks: Locks, modes: tuple[str, ...]) -> int:
    """Milliseconds for which a table was locked so, at once."""
    held = [
        last - first
        for (_table, mode), spans in locks.items()
        if mode in modes
        for first, last in spans
    ]
    return round(1000 * max(held, default=0.0))


@contextmanager
def _watched(tables: set[str]) -> Iterator[Locks]:
    """When which of the tables was locked how by this thread's connection, while the block runs."""
    seen: Locks = defaultdict(list)
    is_over = threading.Event()
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    settings = connection.get_connection_params()

    def watch() -> None:
        before: set[tuple[str, str]] = set()
        with psycopg.connect(**_plain(settings), autocommit=True) as other:
            while not is_over.wait(SAMPLE_EVERY_S):
                rows = other.execute(_HELD, [pid, [BLOCKS_READERS, *BLOCKS_WRITERS]]).fetchall()
                held = {(table, mode) for table, mode in rows if table in tables}
                now = time.perf_counter()
                for lock in held:
                    if lock in before:
                        seen[lock][-1][1] = now
                    else:
                        seen[lock].append([now, now])
                before = held

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        is_over.set()
        watcher.join()


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """How to connect without what is Django's own."""
    return {
        name: settings[name]
        for name in ("dbname", "user", "password", "host", "port")
        if name in settings
    }
