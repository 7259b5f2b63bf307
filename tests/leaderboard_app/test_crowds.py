"""The ledger under crowds: random ones, two bookers at a time, and late commits."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from leaderboard_app import ledger, stats
from leaderboard_app.enums import Frame
from leaderboard_app.models import PointEntry, UserStats
from oasst.accounts.models import User
from oasst.lib import queue
from tasks_app.config import overridden
from tasks_app.models import Contribution, Message
from tests.factories import NOW, crowd, grow
from tests.leaderboard_app import given
from tests.tasks_app.test_crowd_machine import SMALL, Crowd
from tests.waiting import on_a_connection_of_its_own


class Booked(Crowd):
    """The random crowd of the collection, with somebody who books now and then."""

    def __init__(self) -> None:
        super().__init__()
        UserStats.objects.all().delete()

    def trees_are_sound(self) -> None:
        """Has a test of its own."""

    def attempt(self, name: str, *args: Any, **more: Any) -> Any:
        self.now += timedelta(seconds=self.rng.choice([0, 1, 30, 60]))
        if self.rng.random() < 0.1:
            ledger.catch_up(now=self.now)
        return super().attempt(name, *args, **more)

    def teardown(self) -> None:
        ledger.catch_up(now=self.now)

        assert list(ledger.disagreements()) == []
        for user in self.people:
            entries = PointEntry.objects.filter(user=user, state="confirmed")
            total = sum((entry.points for entry in entries), Decimal(0))
            shown = UserStats.objects.filter(user=user, frame="total", lang="").first()
            assert total == (shown.confirmed if shown else 0)
            accepted = Message.objects.filter(user=user, review_result=True, deleted=False)
            assert entries.filter(reason__endswith="_accepted").count() <= accepted.count()
        assert ledger.catch_up(now=self.now) == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_score_is_the_sum_of_entries_for_everybody_in_random_crowds() -> None:
    play(examples=2, steps=60, derandomize=True)


@pytest.mark.full
@pytest.mark.django_db(transaction=True)
def test_score_is_the_sum_of_entries_for_everybody_in_many_random_crowds() -> None:
    play(examples=20, steps=200, derandomize=False)


def play(examples: int, steps: int, *, derandomize: bool) -> None:
    with queue.silent(), overridden(**SMALL):
        run_state_machine_as_test(
            Booked,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                derandomize=derandomize,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_late_is_booked_and_once(alice: User, bob: User) -> None:
    tree = grow("P(A? A?)")
    with ThreadPoolExecutor(1) as other, queue.silent(), transaction.atomic():
        given.reply(alice, grow("P").root)  # has its number, is not committed yet
        act = partial(_review_and_book, bob, tree[1])
        other.submit(on_a_connection_of_its_own, act).result()
    assert not PointEntry.objects.filter(user=alice).exists()

    with ThreadPoolExecutor(2) as others:
        for booking in [others.submit(on_a_connection_of_its_own, _book) for _ in range(2)]:
            booking.result()

    assert PointEntry.objects.filter(user=alice).count() == 1
    assert PointEntry.objects.filter(user=bob).count() == 1
    assert list(ledger.disagreements()) == []


def _review_and_book(user: User, message: Message) -> None:
    with queue.silent():  # the moment of booking is the test's
        given.review(user, message)
    ledger.catch_up(now=NOW)


def _book() -> None:
    ledger.catch_up(now=NOW)


@pytest.mark.django_db(transaction=True)
def test_points_are_booked_as_soon_as_a_submit_is_committed(alice: User) -> None:
    given.reply(alice, grow("P").root)

    assert PointEntry.objects.get().state == "pending"
    assert UserStats.objects.get(user=alice, frame="total", lang="en").pending == 4


@pytest.mark.django_db(transaction=True)
def test_booking_that_breaks_off_leaves_nothing_and_the_next_one_does_it_all(alice: User) -> None:
    with queue.silent():
        given.reply(alice, grow("P").root)
    with transaction.atomic():
        ledger.catch_up(now=NOW)
        transaction.set_rollback(True)
    assert not PointEntry.objects.exists()

    ledger.catch_up(now=NOW)

    assert PointEntry.objects.get().user == alice


@pytest.mark.django_db
def test_submit_takes_no_query_more_for_points(alice: User, bob: User) -> None:
    tree = grow("P(A? A?)")
    given.review(alice, tree[1])  # warm
    with connection.execute_wrapper(_no_points):
        given.review(bob, tree[2])

    assert Contribution.objects.count() == 2


def _no_points(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    assert "leaderboard_app" not in sql
    return execute(sql, params, many, context)


@pytest.mark.django_db
def test_board_is_computed_for_some_people_at_a_time_so_that_bookings_go_between() -> None:
    people = crowd(3)
    for person in people:
        given.scored(person)
    later = NOW + timedelta(days=2)
    turns: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        turns.extend(["turn"] if "pg_advisory_xact_lock" in sql else [])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert ledger.refresh_frame(Frame.TOTAL, now=later, at_once=1) == 2 * len(people)

    assert len(turns) == len(people)
    assert ledger.refresh_frame(Frame.DAY, now=later, at_once=2) == 0
    assert not UserStats.objects.filter(frame=Frame.DAY).exists()
    assert list(stats.disagreements()) == []
