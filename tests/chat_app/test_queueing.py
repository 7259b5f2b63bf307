"""Whose reply comes next: nobody starves behind somebody's ten, nobody has more than allowed."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given as drawn
from hypothesis import strategies as st

from chat_app import queueing, replies, workers
from chat_app.models import ChatMessage
from chat_app.queueing import estimate_s, in_turn
from chat_app.workers import Crew
from oasst.accounts.models import User
from tests import factories
from tests.chat_app import given
from tests.factories import NOW

PEOPLE = [uuid.UUID(int=number) for number in range(4)]


def take(count: int, worker: Any) -> list[User]:
    """Claim so many replies and finish each at once; whose they were."""
    served = []
    for _number in range(count):
        claim = replies.claim(worker.model, worker, now=NOW)
        assert claim is not None
        outcome = replies.Outcome(replies.MessageState.DONE, text="Yes.")
        assert replies.finish(claim.reply_id, claim.attempt, outcome, now=NOW)
        served.append(ChatMessage.objects.get(pk=claim.reply_id).chat.user)
    return served


def test_ten_requests_of_one_do_not_starve_another(alice: User, bob: User) -> None:
    given.waiting(alice, 10)
    worker = given.worker()
    assert take(1, worker) == [alice]

    given.waiting(bob, now=NOW + timedelta(minutes=1))

    assert take(3, worker) == [bob, alice, alice]


def test_people_take_turns_however_much_each_asks(alice: User, bob: User, mona: User) -> None:
    for user, count in ((alice, 3), (bob, 2), (mona, 1)):
        given.waiting(user, count)

    served = take(6, given.worker())

    assert Counter(served[:3]) == Counter([alice, bob, mona])
    assert Counter(served[3:5]) == Counter([alice, bob])
    assert served[5] == alice


def test_each_persons_own_replies_keep_their_order(alice: User) -> None:
    asked = given.waiting(alice, 3)
    worker = given.worker()

    claims = [replies.claim(worker.model, worker, now=NOW) for _reply in asked]

    assert [claim.reply_id for claim in claims if claim] == [reply.pk for reply in asked]


def test_nobody_has_more_running_than_allowed(alice: User, bob: User, settings: Any) -> None:
    settings.CHAT_RUNNING_PER_USER = 2
    given.waiting(alice, 4)
    worker = given.worker()

    claims = [replies.claim(worker.model, worker, now=NOW) for _number in range(4)]
    given.waiting(bob)
    last = replies.claim(worker.model, worker, now=NOW)

    assert [claim is not None for claim in claims] == [True, True, False, False]
    assert last is not None


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_once_never_take_the_same_nor_too_many(settings: Any) -> None:
    settings.CHAT_RUNNING_PER_USER = 3
    for user in factories.crowd(4):
        given.waiting(user, 6)
    crew = [given.worker(name=f"host:{number}") for number in range(8)]

    def claim_some(worker: Any) -> list[uuid.UUID]:
        try:
            found = [replies.claim(worker.model, worker, now=timezone.now()) for _n in range(6)]
            return [claim.reply_id for claim in found if claim]
        finally:
            connection.close()

    with ThreadPoolExecutor(len(crew)) as pool:
        taken = [reply for mine in pool.map(claim_some, crew) for reply in mine]

    running = Counter(ChatMessage.objects.filter(state="running").values_list("chat__user", flat=1))
    assert len(taken) == len(set(taken)) == 12
    assert set(running.values()) == {3}


# The order and the estimate, without a database


@drawn(st.lists(st.sampled_from(PEOPLE), max_size=30))
def test_in_every_round_each_person_who_waits_comes_once(asked_by: list[uuid.UUID]) -> None:
    waiting = list(enumerate(asked_by))

    order = in_turn(waiting, {PEOPLE[0]: NOW, PEOPLE[1]: NOW - timedelta(hours=1)})

    assert sorted(order) == list(range(len(waiting)))
    people = [asked_by[item] for item in order]
    for place, person in enumerate(people):
        mine, before = people[:place].count(person), Counter(people[:place])
        assert all(count <= mine + 1 for count in before.values())
    for person in set(people):
        own = [item for item in order if asked_by[item] == person]
        assert own == sorted(own)


def test_who_was_served_longest_ago_comes_first() -> None:
    waiting = [(person, person) for person in PEOPLE[:3]]
    served = {PEOPLE[0]: NOW, PEOPLE[1]: NOW - timedelta(hours=1), PEOPLE[2]: None}

    assert in_turn(waiting, served) == [PEOPLE[2], PEOPLE[1], PEOPLE[0]]


@pytest.mark.parametrize(
    ("position", "crew", "usual_tokens", "seconds"),
    [
        (1, Crew(1, 4, 2, 50.0), 100.0, 0.0),
        (2, Crew(1, 4, 4, 50.0), 100.0, 4.0),
        (3, Crew(2, 8, 7, 100.0), 50.0, 1.0),
        (1, Crew(1, 1, 1, 0.0), 100.0, None),
        (1, Crew(1, 1, 1, 50.0), None, None),
        (1, Crew(0, 0, 0, 0.0), 100.0, None),
    ],
)
def test_the_estimate_follows_from_what_the_workers_wrote_lately(
    position: int, crew: Crew, usual_tokens: float | None, seconds: float | None
) -> None:
    assert estimate_s(position, crew, usual_tokens) == seconds


def test_the_place_in_the_queue_is_where_it_will_be_taken(alice: User, bob: User) -> None:
    first, second = given.waiting(alice, 2)
    (bobs,) = given.waiting(bob, now=NOW + timedelta(minutes=1))
    given.worker(max_batch=1, running=1, tokens_per_s=10, heartbeat_at=timezone.now())

    places = queueing.queue_places([first, second, bobs], now=timezone.now())

    assert (places[second.pk].position, places[second.pk].size) == (3, 3)
    assert {places[first.pk].position, places[bobs.pk].position} == {1, 2}
    assert all(place.has_worker for place in places.values())


def test_what_does_not_wait_has_no_place_and_nobody_may_be_there(alice: User, bob: User) -> None:
    given.worker(heartbeat_at=timezone.now())
    (mine,), (bobs,) = given.waiting(alice), given.waiting(bob)
    ChatMessage.objects.filter(pk=bobs.pk).delete()

    places = queueing.queue_places([mine, bobs], now=timezone.now() + workers.ALIVE)

    assert places.keys() == {mine.pk}
    assert places[mine.pk].has_worker is False
