"""Requests that are not over: when the server is asked to end, and when it has given them up."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from django.conf import settings
from django.db import connection

from oasst.accounts.models import User
from tests import factories, stack
from tests.sessions import cookie_of
from tests.waiting import wait_until, waiting_requests

# daphne cancels what still works for a browser that left ten seconds ago; it looks once a second.
GIVEN_UP_AFTER_S = 13

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def alice_signed_in() -> requests.Session:
    browser = requests.Session()
    browser.cookies.set(settings.SESSION_COOKIE_NAME, cookie_of(factories.alice()))
    return browser


@contextmanager
def table_locked() -> Iterator[threading.Event]:
    """Let nobody read the accounts until the event is set."""
    may_go, is_locked = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(f"LOCK TABLE {User._meta.db_table} IN ACCESS EXCLUSIVE MODE")
            is_locked.set()
            may_go.wait(30)
            cursor.execute("ROLLBACK")
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert is_locked.wait(10)
        yield may_go
    finally:
        may_go.set()
        holder.join()


def is_refused(address: str) -> bool:
    host, port = address.removeprefix("http://").split(":")
    try:
        with socket.create_connection((host, int(port)), 1):
            return False
    except OSError:
        return True


def test_request_under_way_is_answered_before_the_server_ends(
    alice_signed_in: requests.Session, tmp_path: Path
) -> None:
    with stack.web(tmp_path) as (address, process), ThreadPoolExecutor() as pool:
        with table_locked() as may_go:
            page: Future[requests.Response] = pool.submit(
                alice_signed_in.get, f"{address}/account/", timeout=30
            )
            wait_until(waiting_requests)

            process.terminate()

            wait_until(lambda: is_refused(address))
            assert process.poll() is None
            may_go.set()
            answer = page.result(20)
        assert (answer.status_code, answer.headers["Connection"]) == (200, "close")
        assert "alice@example.org" in answer.text
        assert process.wait(10) is not None


@pytest.mark.full
def test_request_given_up_long_ago_gives_its_connection_back(
    alice_signed_in: requests.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_POOL_SIZE", "2")
    for limit in ("DATABASE_STATEMENT_TIMEOUT_MS", "DATABASE_PATIENCE_MS"):
        monkeypatch.setenv(limit, "0")
    with stack.web(tmp_path) as (address, _process):
        with table_locked():
            for _ in range(2):
                with pytest.raises(requests.ReadTimeout):
                    alice_signed_in.get(f"{address}/account/", timeout=1)
            time.sleep(GIVEN_UP_AFTER_S)

        assert alice_signed_in.get(f"{address}/account/", timeout=30).status_code == 200
