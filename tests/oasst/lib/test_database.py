"""A view of one moment, and databases to throw away."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection

from oasst.lib import database


def add_group(name: str) -> None:
    """As another process would, on a connection of its own."""
    Group.objects.create(name=name)
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_one_moment_does_not_see_what_others_write_meanwhile() -> None:
    before = Group.objects.count()

    with database.one_moment():
        assert Group.objects.count() == before
        with ThreadPoolExecutor() as others:
            others.submit(add_group, "meanwhile").result()
        assert Group.objects.count() == before

    assert Group.objects.count() == before + 1


@pytest.mark.django_db(transaction=True)
def test_one_moment_is_for_reading_only() -> None:
    with pytest.raises(DatabaseError, match="read-only"), database.one_moment():
        Group.objects.create(name="written")

    assert not Group.objects.filter(name="written").exists()


@pytest.mark.django_db
def test_one_moment_inside_a_transaction_sees_what_that_wrote() -> None:
    Group.objects.create(name="own")

    with database.one_moment():
        assert Group.objects.filter(name="own").exists()


def fail() -> None:
    raise RuntimeError("in the middle")


def be_terminated() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    signal.sigtimedwait([signal.SIGUSR1], 5)  # never comes; the other one ends the wait


def end_in_scratch(seen: list[str], end: Callable[[], None]) -> None:
    with database.scratch("test"):
        seen.append(connection.settings_dict["NAME"])
        assert not Group.objects.filter(name="outside").exists()
        end()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("end", "error"), [(fail, RuntimeError), (be_terminated, SystemExit)])
def test_scratch_database_is_new_and_dropped_however_it_ends(
    end: Callable[[], None], error: type[BaseException]
) -> None:
    Group.objects.create(name="outside")
    name = connection.settings_dict["NAME"]
    seen: list[str] = []

    with pytest.raises(error):
        end_in_scratch(seen, end)

    assert seen[0].startswith("scratch_test_")
    assert connection.settings_dict["NAME"] == name
    assert Group.objects.filter(name="outside").exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname = %s", seen)
        assert cursor.fetchone() == (0,)
