"""Servers that are there but say nothing."""

import socket
import threading
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection
from redis import Redis
from redis.exceptions import RedisError

from oasst.lib import patience
from oasst.lib.patience import ImpatientConnection, Once, impatient


@pytest.fixture
def link(db: None) -> Iterator[ImpatientConnection]:
    """A connection that waits for half a second."""
    parameters = connection.get_connection_params()
    names = ("dbname", "host", "port", "user", "password")
    target = {name: parameters[name] for name in names if parameters.get(name)}
    with impatient(0.5).connect(**target, autocommit=True) as opened:
        yield opened


def test_connection_ends_itself_when_the_server_is_silent(link: ImpatientConnection) -> None:
    with pytest.raises(psycopg.OperationalError):
        link.execute("SELECT pg_sleep(5)")

    assert link.closed


def test_connection_goes_on_after_what_is_answered_in_time(link: ImpatientConnection) -> None:
    assert link.execute("SELECT 1, pg_sleep(0.1)").fetchone() == (1, "")
    link.execute("SET statement_timeout = 50")
    with pytest.raises(psycopg.OperationalError, match="statement timeout"):
        link.execute("SELECT pg_sleep(5)")

    assert link.execute("SELECT 2").fetchone() == (2,)


def test_connection_waits_as_long_as_it_takes_where_that_is_asked_for(
    link: ImpatientConnection,
) -> None:
    link.patience_s = None

    assert link.execute("SELECT 3, pg_sleep(0.7)").fetchone() == (3, "")


class Silent:
    """A Redis that takes connections and never says a word."""

    def __init__(self) -> None:
        self.connections = 0
        self._kept: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                taken, _address = self._server.accept()
            except OSError:
                return
            self._kept.append(taken)
            self.connections += 1

    def close(self) -> None:
        self._server.close()
        for taken in self._kept:
            taken.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.close()


def ask(client: Redis) -> None:
    with pytest.raises(RedisError):
        client.get("anything")


def test_silent_redis_is_waited_for_once_and_not_at_each_call(
    silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PAUSE_S", 3600)
    client = Redis(port=silent.port, socket_timeout=0.1, socket_connect_timeout=0.1, retry=Once())
    ask(client)
    tried = silent.connections

    for _ in range(50):
        ask(client)

    assert silent.connections == tried


def test_redis_is_asked_again_after_a_pause(
    silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PAUSE_S", 0)
    client = Redis(port=silent.port, socket_timeout=0.1, socket_connect_timeout=0.1, retry=Once())
    ask(client)
    tried = silent.connections

    ask(client)

    assert silent.connections > tried
