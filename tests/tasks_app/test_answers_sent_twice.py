"""The same answer twice, another answer, an answer to somebody else's task."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from oasst.accounts.models import User
from tasks_app import interactions
from tasks_app.enums import TaskType, TreeState
from tasks_app.errors import (
    AlreadySubmitted,
    NotAllowed,
    TaskExpired,
    TaskNotFound,
    WrongTaskKind,
)
from tasks_app.models import Contribution, Draft, Task
from tests.factories import GOOD, NOW, grow, hand_out

pytestmark = pytest.mark.django_db

K = TaskType
LATER = NOW + timedelta(hours=1)


# The same answer twice, another answer, somebody else's task


ANSWERS: dict[str, tuple[str, TreeState, Any, Any, Any]] = {
    "reply": (
        "P",
        TreeState.GROWING,
        K.ASSISTANT_REPLY,
        lambda task, user: interactions.submit_reply(task.pk, user, "One.", now=NOW),
        lambda task, user: interactions.submit_reply(task.pk, user, "Two.", now=NOW),
    ),
    "labels": (
        "P(A?)",
        TreeState.GROWING,
        K.LABEL_ASSISTANT_REPLY,
        lambda task, user: interactions.submit_labels(task.pk, user, {"spam": 1}, now=NOW),
        lambda task, user: interactions.submit_labels(task.pk, user, {"spam": 0}, now=NOW),
    ),
    "ranking": (
        "P(A A)",
        TreeState.RANKING,
        K.RANK_ASSISTANT_REPLIES,
        lambda task, user: interactions.submit_ranking(
            task.pk, user, [[pk] for pk in task.shown_ids], now=NOW
        ),
        lambda task, user: interactions.submit_ranking(
            task.pk, user, [[pk] for pk in task.shown_ids[::-1]], now=NOW
        ),
    ),
}


@pytest.fixture(params=sorted(ANSWERS))
def answered(request: pytest.FixtureRequest, alice: User) -> tuple[Task, Any, Any, Any]:
    """A task of Alice's that is done, what came of it, the same submit and another one."""
    drawing, state, kind, same, other = ANSWERS[request.param]
    grow(drawing, state=state)
    task = hand_out(alice, kind)
    return task, same(task, alice), same, other


def test_same_submit_again_gives_the_same_answer_and_has_one_effect(
    alice: User, answered: tuple
) -> None:
    task, stored, same, _ = answered

    assert same(task, alice) == stored

    assert Contribution.objects.count() == 1
    assert type(stored).objects.filter(user=alice).count() == 1


def test_whole_number_labels_are_the_same_as_decimal_ones(alice: User) -> None:
    grow("P(A?)")
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY)

    first = interactions.submit_labels(task.pk, alice, {"spam": 1}, now=NOW)

    assert interactions.submit_labels(task.pk, alice, {"spam": 1.0}, now=NOW) == first


def test_another_submit_of_a_done_task_is_refused(alice: User, answered: tuple) -> None:
    task, stored, _, other = answered

    with pytest.raises(AlreadySubmitted):
        other(task, alice)

    assert Contribution.objects.count() == 1
    assert list(type(stored).objects.filter(user=alice)) == [stored]


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_tasks_of_others_and_unknown_ones_do_not_exist(alice: User, bob: User, name: str) -> None:
    drawing, state, kind, same, _ = ANSWERS[name]
    grow(drawing, state=state)
    task = hand_out(alice, kind)

    with pytest.raises(TaskNotFound):
        same(task, bob)
    task.pk = uuid.uuid4()
    with pytest.raises(TaskNotFound):
        same(task, alice)
    assert Contribution.objects.count() == 0


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_an_answer_of_another_kind_is_refused(alice: User, name: str) -> None:
    drawing, state, _, same, _ = ANSWERS[name]
    grow(drawing, state=state)
    task = hand_out(alice, K.INITIAL_PROMPT)
    Task.objects.filter(pk=task.pk).update(
        kind=K.LABEL_INITIAL_PROMPT if name == "reply" else K.INITIAL_PROMPT
    )

    with pytest.raises(WrongTaskKind):
        same(task, alice)


@pytest.mark.parametrize("name", sorted(ANSWERS))
@pytest.mark.parametrize("fields", [{"is_active": False}, {"muted_until": LATER}])
def test_people_who_may_not_contribute_cannot_submit(
    alice: User, name: str, fields: dict[str, Any]
) -> None:
    drawing, state, kind, same, _ = ANSWERS[name]
    grow(drawing, state=state)
    task = hand_out(alice, kind)
    User.objects.filter(pk=alice.pk).update(**fields)
    alice.refresh_from_db()

    with pytest.raises(NotAllowed):
        same(task, alice)


def test_review_after_the_last_day_is_refused(alice: User) -> None:
    grow("P(A?)")
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY)

    with pytest.raises(TaskExpired):
        interactions.submit_labels(task.pk, alice, GOOD, now=NOW + timedelta(days=2))


def test_skip_of_a_done_task_is_refused(alice: User, answered: tuple) -> None:
    with pytest.raises(AlreadySubmitted):
        interactions.skip(answered[0].pk, alice, now=NOW)


def test_draft_of_a_done_task_is_refused(alice: User, answered: tuple) -> None:
    with pytest.raises(AlreadySubmitted):
        interactions.save_draft(answered[0].pk, alice, {"text": "x"}, now=NOW)

    assert Draft.objects.count() == 0
