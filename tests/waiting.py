"""For tests in which requests wait for each other, each on a connection of its own."""

import time
from collections.abc import Callable
from threading import Event
from typing import Any

from django.db import connection, transaction

from oasst.lib.errors import DomainError
from tasks_app.models import MessageTree

Act = Callable[[], Any]
PATIENCE_S = 10


def wait_until(is_so: Callable[[], Any], *, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def waiting_requests() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # a transaction would see the same again
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0]


def on_a_connection_of_its_own(act: Act) -> Any:
    """What `act` gives, or the class of the rule that said no."""
    try:
        return act()
    except DomainError as error:
        return type(error)
    finally:
        connection.close()


def hold(tree_id: Any, is_held: Event, may_go: Event) -> None:
    with transaction.atomic():
        MessageTree.objects.locked().get(pk=tree_id)
        is_held.set()
        assert may_go.wait(PATIENCE_S)
