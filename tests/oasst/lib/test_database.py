"""A view of one moment, and databases to throw away."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.sessions.models import Session
from django.db import DatabaseError, OperationalError, connection, transaction

from oasst.lib import database
from tests.factories import NOW


def add(key: str) -> None:
    Session.objects.create(session_key=key, expire_date=NOW)


def add_as_another(key: str) -> None:
    """As another process would, on a connection of its own."""
    add(key)
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_one_moment_does_not_see_what_others_write_meanwhile() -> None:
    before = Session.objects.count()

    with database.one_moment():
        assert Session.objects.count() == before
        with ThreadPoolExecutor() as others:
            others.submit(add_as_another, "meanwhile").result()
        assert Session.objects.count() == before

    assert Session.objects.count() == before + 1


@pytest.mark.django_db(transaction=True)
def test_one_moment_is_for_reading_only() -> None:
    with pytest.raises(DatabaseError, match="read-only"), database.one_moment():
        add("written")

    assert not Session.objects.filter(session_key="written").exists()


@pytest.mark.django_db
def test_one_moment_inside_a_transaction_sees_what_that_wrote() -> None:
    add("own")

    with database.one_moment():
        assert Session.objects.filter(session_key="own").exists()


def fail() -> None:
    raise RuntimeError("in the middle")


def be_terminated() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    signal.sigtimedwait([signal.SIGUSR1], 5)  # never comes; the other one ends the wait


def end_in_scratch(seen: list[str], end: Callable[[], None]) -> None:
    with database.scratch("test"):
        seen.append(connection.settings_dict["NAME"])
        assert not Session.objects.filter(session_key="outside").exists()
        end()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("end", "error"), [(fail, RuntimeError), (be_terminated, SystemExit)])
def test_scratch_database_is_new_and_dropped_however_it_ends(
    end: Callable[[], None], error: type[BaseException]
) -> None:
    add("outside")
    name = connection.settings_dict["NAME"]
    seen: list[str] = []

    with pytest.raises(error):
        end_in_scratch(seen, end)

    assert seen[0].startswith("scratch_test_")
    assert connection.settings_dict["NAME"] == name
    assert Session.objects.filter(session_key="outside").exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname = %s", seen)
        assert cursor.fetchone() == (0,)


def swap(first: str, second: str, both_hold_one: Barrier) -> Callable[[], int]:
    """Lock two rows, one after the other; gives how often that was tried."""
    tries = 0

    @database.retried
    def act() -> int:
        nonlocal tries
        tries += 1
        Session.objects.filter(session_key=first).update(session_data=second)
        if tries == 1:
            both_hold_one.wait(10)
        Session.objects.filter(session_key=second).update(session_data=first)
        return tries

    def on_a_connection_of_its_own() -> int:
        try:
            return act()
        finally:
            connection.close()

    return on_a_connection_of_its_own


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_transaction_that_a_deadlock_ended_runs_again() -> None:
    add("a")
    add("b")
    both_hold_one = Barrier(2)

    with ThreadPoolExecutor() as pool:
        tries = [
            pool.submit(swap("a", "b", both_hold_one)),
            pool.submit(swap("b", "a", both_hold_one)),
        ]
        assert sorted(each.result() for each in tries) == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_transaction_is_not_tried_for_ever() -> None:
    tries = []

    @database.retried
    def act() -> None:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")

    with pytest.raises(OperationalError):
        act()

    assert len(tries) == 1 + database.MOST_RETRIES


@pytest.mark.django_db
def test_inside_another_transaction_nothing_is_tried_again() -> None:
    tries = []

    @database.retried
    def act() -> None:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$")

    with pytest.raises(OperationalError), transaction.atomic():
        act()

    assert len(tries) == 1
