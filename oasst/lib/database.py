"""What the project needs of PostgreSQL beyond the ORM: some columns, one moment, and databases to
throw away."""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.models import Model
from psycopg.errors import DeadlockDetected, QueryCanceled, SerializationFailure

from oasst.lib.patience import ImpatientConnection

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MOST_RETRIES = 3
_CONFLICTS = (DeadlockDetected, SerializationFailure)


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
        with _waiting_on():
            yield


@contextmanager
def _waiting_on() -> Iterator[None]:
    """Let this thread's connection wait as long as it takes, where pages would give up."""
    link = connection.connection
    if not isinstance(link, ImpatientConnection):
        yield
        return
    before, link.patience_s = link.patience_s, None
    try:
        yield
    finally:
        link.patience_s = before


def retried(act: Callable[P, T]) -> Callable[P, T]:
    """Run the function in a transaction; again if PostgreSQL broke that off for the sake of others.

    Of two transactions that wait for each other (deadlock) or cannot both have seen what they saw
    (serialization), one is ended, which is no fault of its own. Inside another transaction, which
    would be gone too, the error goes up.
    """

    @wraps(act)
    def persistent(*args: P.args, **kwargs: P.kwargs) -> T:
        tries = 1 if connection.in_atomic_block else 1 + MOST_RETRIES
        for left in reversed(range(tries)):
            try:
                with transaction.atomic():
                    return act(*args, **kwargs)
            except OperationalError as error:
                if not left or not isinstance(error.__cause__, _CONFLICTS):
                    raise
                logger.warning("%s runs again: %s", act.__name__, type(error.__cause__).__name__)
        raise AssertionError("unreachable")

    return persistent


@contextmanager
def at_most(limit_ms: int, error: type[Exception]) -> Iterator[None]:
    """Read with queries of which none takes longer than a limit. Raises `error` if one would.

    Each is planned for its own values: what is searched for may be rare or everywhere.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true),"
                " set_config('plan_cache_mode', 'force_custom_plan', true)",
                [str(limit_ms)],
            )
            yield
    except OperationalError as problem:
        if isinstance(problem.__cause__, QueryCanceled):
            raise error from problem
        raise


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
