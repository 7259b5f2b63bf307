"""`migrate` on a site that is in use."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import connection

from oasst.lib.management.commands import migrate
from training.models import Snapshot

BEFORE, AFTER = ("training", "0006_snapshot_requests"), ("training", "0007_why_superseded")

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_MS", 100)
    monkeypatch.setattr(migrate, "PAUSE_S", 0.1)


@pytest.fixture
def before() -> Iterator[None]:
    call_command("migrate", *BEFORE, verbosity=0)
    try:
        yield
    finally:
        call_command("migrate", *AFTER, verbosity=0)


@contextmanager
def somebody_reads(table: str) -> Iterator[threading.Event]:
    """An export, say: it reads until the event is set."""
    may_end, is_reading = threading.Event(), threading.Event()

    def read() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS SHARE MODE")
            is_reading.set()
            may_end.wait(30)
            cursor.execute("ROLLBACK")
        connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert is_reading.wait(10)
        yield may_end
    finally:
        may_end.set()
        reader.join()


@pytest.mark.usefixtures("impatient", "before")
def test_migration_steps_back_for_who_reads_the_table_and_tries_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with somebody_reads(Snapshot._meta.db_table) as may_end:
        monkeypatch.setattr(migrate.time, "sleep", lambda _pause_s: may_end.set())

        call_command("migrate", *AFTER, verbosity=0)

    assert capsys.readouterr().err == "Somebody uses the table: trying again.\n"
    assert list(Snapshot.objects.filter(superseded_why="")) == []  # the column is there


@pytest.mark.usefixtures("impatient", "before")
def test_limits_of_a_migration_end_with_it() -> None:
    def limits() -> tuple[str, str]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
            )
            return cursor.fetchone()

    usual = limits()

    call_command("migrate", *AFTER, verbosity=0)

    assert limits() == usual == ("0", "30s")
