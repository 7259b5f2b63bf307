"""Filling tables fast: rows made inside PostgreSQL, indexes built afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models
from psycopg.types.json import Jsonb


def run(query: str, *parameters: Any) -> list[tuple]:
    """Run a query; gives its rows, if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        return cursor.fetchall() if cursor.description else []


def fill(model: type[models.Model], source: str, **columns: str) -> None:
    """Store one row per row of `source`; `columns` are SQL, all others get the model's default.

    A percent sign in SQL is written twice.
    """
    given = dict(columns)
    constants: list[Any] = []
    for field in model._meta.concrete_fields:
        if field.column in given or field.generated or isinstance(field, models.AutoField):
            continue
        constants.append(_default(field))
        given[str(field.column)] = "%s"
    names = ", ".join(f'"{name}"' for name in given)
    values = ", ".join(given.values())
    with connection.cursor() as cursor:
        table = model._meta.db_table
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {values} {source}", constants)


def _default(field: Any) -> Any:
    value = None if field.null and not field.has_default() else field.get_default()
    return Jsonb(value) if isinstance(field, models.JSONField) and value is not None else value


@contextmanager
def without_indexes(*tables: type[models.Model]) -> Iterator[None]:
    """Drop the indexes of `tables` that no constraint needs, and build them again at the end."""
    found = run(
        """SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
        LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid
        WHERE c.oid IS NULL AND i.indrelid::regclass::text = ANY(%s)""",
        [table._meta.db_table for table in tables],
    )
    for name, _definition in found:
        run(f"DROP INDEX {name}")
    yield
    for _name, definition in found:
        run(definition)


@contextmanager
def unchecked() -> Iterator[None]:
    """Leave foreign keys unchecked where the database's user may; the rows are right anyway.

    Ends with a checkpoint, so that nobody measures the writing of what was filled.
    """
    superuser = run("SELECT usesuper FROM pg_user WHERE usename = current_user")[0][0]
    if superuser:
        run("SET session_replication_role = replica")
    run("SET statement_timeout = 0")
    yield
    if superuser:
        run("SET session_replication_role = origin")
        run("CHECKPOINT")
