"""Votes come and are taken back while several jobs count them, and jobs die on the way."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction

from oasst.accounts.models import User
from oasst.lib.errors import DomainError
from tasks_app import agreement_sums, interactions, undo
from tasks_app.agreement_tables import AgreementCell, AgreementMark, AgreementUnit
from tasks_app.checks import agreement as check
from tasks_app.enums import TaskType
from tasks_app.models import Message, TextLabels
from tests.factories import NOW, crowd, grow, hand_out, review

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PEOPLE, FOLDERS, ROUNDS = 6, 3, 12


def at_once(functions: Sequence[Callable[[], None]]) -> None:
    """Run all in threads of their own; what one raises is raised here."""

    def run(function: Callable[[], None]) -> None:
        try:
            function()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        list(pool.map(run, functions))


def reviews_of(person: User, messages: Sequence[Message], seed: int) -> Callable[[], None]:
    """Somebody who reviews all messages and takes every third review back."""
    chance = random.Random(seed)

    def work() -> None:
        for message in chance.sample(messages, len(messages)):
            with suppress(DomainError):  # no place left, or decided meanwhile
                task = hand_out(person, TaskType.LABEL_ASSISTANT_REPLY, message)
                values = {"spam": 0.0, "quality": chance.randrange(5) / 4}
                interactions.submit_labels(task.pk, person, values, now=NOW)
                if chance.random() < 0.3:
                    undo.undo_labels(task.pk, person, now=NOW + timedelta(seconds=3))

    return work


def folder() -> None:
    for _ in range(ROUNDS):
        agreement_sums.fold(limit=7)


def settle() -> None:
    while agreement_sums.fold():
        pass


def test_votes_count_once_whoever_counts_and_whoever_undoes() -> None:
    messages = [grow("P(A?)", max_children_count=9)[1] for _ in range(5)]
    people = crowd(PEOPLE)

    at_once(
        [reviews_of(person, messages[:], seed) for seed, person in enumerate(people)]
        + [folder] * FOLDERS
    )
    settle()

    assert list(check.findings()) == []
    counted = AgreementUnit.objects.filter(kind=TaskType.ASSISTANT_REPLY)
    voted = [
        message for message in messages if TextLabels.objects.filter(message=message).count() > 1
    ]
    assert len(voted) >= 2  # how many get a second vote is a matter of who comes first
    assert {unit.message_id for unit in counted} == {message.pk for message in voted}


def test_a_killed_job_leaves_everything_to_the_next() -> None:
    review(grow("P(A?)")[1], {"spam": 0.0}, {"spam": 1.0})
    marks = AgreementMark.objects.count()

    with pytest.raises(OperationalError):
        _fold_and_be_killed()
    connection.close()

    assert (AgreementMark.objects.count(), AgreementCell.objects.count()) == (marks, 0)
    settle()
    assert AgreementCell.objects.get(lang="en", kind="assistant_reply").profiles == {
        "spam": {"1 1": 1}
    }
    assert list(check.findings()) == []


@transaction.atomic
def _fold_and_be_killed() -> None:
    agreement_sums.fold()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
