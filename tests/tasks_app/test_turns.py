"""Who is banned or muted while a request of theirs waits for a lock is refused all the same."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import interactions, moderation, reactions, selection
from tasks_app.enums import TaskType
from tasks_app.errors import NotAllowed
from tasks_app.models import Message, MessageTree, Reaction, Task, TextLabels
from tests.factories import CHANCE, GOOD, grow, hand_out
from tests.tasks_app import oracle
from tests.waiting import (
    PATIENCE_S,
    Act,
    hold,
    on_a_connection_of_its_own,
    wait_until,
    waiting_requests,
)

pytestmark = pytest.mark.django_db(transaction=True)

K = TaskType


@pytest.fixture
def meanwhile() -> Iterator[Callable[..., Any]]:
    """Has somebody `act` while the tree is locked, lets `shut_out` happen, then unlocks it."""
    with ThreadPoolExecutor(3) as pool:

        def run(tree: MessageTree, user: User, act: Act, shut_out: Act) -> Any:
            is_held, may_go = Event(), Event()
            begin = partial(pool.submit, on_a_connection_of_its_own)
            parts: list[Future[Any]] = [begin(partial(hold, tree.pk, is_held, may_go))]
            try:
                assert is_held.wait(PATIENCE_S)
                parts.append(begin(act))
                wait_until(waiting_requests)
                parts.append(begin(shut_out))
                wait_until(lambda: not User.objects.get(pk=user.pk).may_contribute(timezone.now()))
            finally:
                may_go.set()
            return [part.result(PATIENCE_S) for part in parts][1]

        yield run


def ban(user: User, actor: User) -> Act:
    now = timezone.now()
    return lambda: moderation.ban_user(user.pk, actor=actor, reason="spam", now=now)


def mute(user: User, actor: User) -> Act:
    now = timezone.now()
    until = now + timedelta(days=1)
    return lambda: moderation.mute_user(user.pk, until=until, actor=actor, reason="spam", now=now)


@pytest.mark.parametrize("shut_out", [ban, mute])
def test_review_under_way_does_not_pass_a_ban_or_mute(
    meanwhile: Any, alice: User, mona: User, shut_out: Callable[[User, User], Act]
) -> None:
    grown = grow("P(A?)")
    now = timezone.now()
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY, grown[1], now=now)
    review = partial(interactions.submit_labels, task.pk, alice, GOOD, now=now)

    assert meanwhile(grown.tree, alice, review, shut_out(alice, mona)) == NotAllowed

    task.refresh_from_db()
    assert task.is_open
    assert task.holds_slot == (shut_out is mute)
    assert TextLabels.objects.filter(user=alice).count() == 0
    assert oracle.problems() == []


def test_hand_out_under_way_leaves_a_banned_person_no_place(
    meanwhile: Any, alice: User, mona: User
) -> None:
    """It was let in before the ban; the ban then waits for it and takes the place back."""
    grown = grow("P(A?)")
    take = partial(
        selection.next_task, alice, K.LABEL_ASSISTANT_REPLY, now=timezone.now(), rng=CHANCE
    )

    meanwhile(grown.tree, alice, take, ban(alice, mona))

    assert not Task.objects.filter(user=alice, holds_slot=True).exists()
    assert oracle.problems() == []


def test_reaction_under_way_does_not_pass_a_ban(meanwhile: Any, alice: User, mona: User) -> None:
    grown = grow("P(A)")
    message: Message = grown[1]
    react = partial(reactions.react, message.pk, alice, "+1", now=timezone.now())

    assert meanwhile(grown.tree, alice, react, ban(alice, mona)) == NotAllowed

    assert Reaction.objects.count() == 0


def test_hand_out_asks_the_database_who_may_contribute(alice: User, mona: User) -> None:
    """What the request knows of the person may be older than the ban."""
    grow("P(A?)")
    ban(User.objects.get(pk=alice.pk), mona)()

    assert alice.is_active
    with pytest.raises(NotAllowed):
        hand_out(alice, K.LABEL_ASSISTANT_REPLY, now=timezone.now())
