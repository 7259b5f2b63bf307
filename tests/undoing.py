"""For tests that try many things on one world: each finds it as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction


@contextmanager
def undone() -> Iterator[None]:
    """Whatever happens in the database is as if it had not."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
