"""Moderators and reporters at once, each on a connection of their own: nobody blocks anybody."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import reactions
from tasks_app.admin.reports import DecideReport
from tasks_app.errors import MessageNotFound
from tasks_app.models import Message, Report
from tests import factories
from tests.factories import grow

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

REPORTERS = 3


def report(message: Message, person: User, words: str) -> Report:
    return reactions.report(message.pk, person, "spam", words, now=timezone.now())


def at_once(functions: list[Callable[[], Any]]) -> None:
    """Run all at the same moment. A deadlock fails the test, a message that is gone does not."""
    barrier = Barrier(len(functions))

    def run(function: Callable[[], Any]) -> None:
        barrier.wait(timeout=10)
        try:
            function()
        except MessageNotFound:
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        list(pool.map(run, functions))


@pytest.mark.parametrize("delete", [True, False])
def test_decisions_and_new_words_of_reporters_at_once_do_not_block_each_other(
    mona: User, delete: bool
) -> None:
    people = factories.crowd(REPORTERS)
    decision = {"note": "Looked.", "outcome": "resolved", "others": True, "delete": delete}
    decide = partial(DecideReport().run, data=decision, actor=mona, now=timezone.now())

    for _ in range(3):
        message = grow("P(A(P) A)")[1]
        reports = [report(message, person, "First.") for person in people]
        again = [partial(report, message, person, "Second.") for person in people]
        at_once([*(partial(decide, row) for row in reports), *again])

        message.refresh_from_db()
        assert message.deleted is delete
        assert not Report.objects.filter(pk__in=[row.pk for row in reports], state="open").exists()
