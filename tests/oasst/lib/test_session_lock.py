"""A lock of a session is one process's, for as long as that lives."""

import pytest
from django.db import connection

from oasst.lib.session_lock import SessionLock
from tests.elsewhere import held_elsewhere, may_take

pytestmark = pytest.mark.django_db(transaction=True)


def test_lock_is_ours_until_it_is_released() -> None:
    lock = SessionLock("a")

    assert lock.take()
    assert (lock.is_held(), may_take("a"), may_take("b")) == (True, False, True)
    lock.release()
    assert (lock.is_held(), may_take("a")) == (False, True)


def test_lock_of_another_process_cannot_be_had() -> None:
    lock = SessionLock("a")

    with held_elsewhere("a"), lock.alone() as is_ours:
        assert (is_ours, lock.is_held(), lock.is_free()) == (False, False, False)
    assert lock.is_free()


def test_lock_goes_with_the_connection() -> None:
    lock = SessionLock("a")
    with lock.alone():
        connection.close()

        assert not lock.is_held()
        assert may_take("a")


def test_lock_is_released_when_the_block_fails() -> None:
    with pytest.raises(ValueError, match="on purpose"), SessionLock("a").alone():
        raise ValueError("on purpose")

    assert may_take("a")
