"""What the project needs of PostgreSQL beyond the ORM: some columns, one moment, and databases to
throw away."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.models import Model


def write(row: Model, **columns: Any) -> None:
    """Give columns of a row other values, and store these alone."""
    for name, value in columns.items():
        setattr(row, name, value)
    row.save(update_fields=list(columns))


@contextmanager
def one_moment() -> Iterator[None]:
    """See the database as it was at the first query, whatever others write; read only.

    Inside another transaction that one decides what is seen.
    """
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            # Whoever reads a whole database may take longer than a page may.
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield


@contextmanager
def scratch(purpose: str) -> Iterator[None]:
    """Run the block on a new, migrated, empty database, dropped at the end, whatever happens.

    The current one is left alone. For the main thread of this process
    only; not inside a transaction.
    """
    settings = connection.settings_dict
    before, test_name = settings["NAME"], settings["TEST"]["NAME"]
    settings["TEST"]["NAME"] = f"scratch_{purpose}_{os.getpid()}"
    on_term = signal.signal(signal.SIGTERM, _leave)
    try:
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        # It is gone after a crash anyway.
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
        yield
    finally:
        if settings["NAME"] != before:
            with _patience(settings["OPTIONS"]):
                connection.creation.destroy_test_db(before, verbosity=0)
        settings["TEST"]["NAME"] = test_name
        signal.signal(signal.SIGTERM, on_term)


@contextmanager
def _patience(options: dict[str, Any]) -> Iterator[None]:
    """Connections that begin in the block have no limit: half a dropped database is of no use."""
    before = options.get("options", "")
    options["options"] = f"{before} -c statement_timeout=0".strip()
    try:
        yield
    finally:
        options["options"] = before


def _leave(signum: int, _frame: object) -> None:
    """End as after Ctrl-C, so that nothing is left behind."""
    raise SystemExit(128 + signum)
