"""Jobs of the data collection: what runs after events and what runs every few minutes."""

from datetime import timedelta

import pytest
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import jobs
from tasks_app.config import overridden
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import MessageTree, Offer, Task
from tests import factories
from tests.factories import GOOD, grow, hand_out

S = TreeState


@pytest.mark.django_db
def test_settle_languages_runs_every_lottery() -> None:
    for lang in ("en", "de"):
        grow("P", state=S.PROMPT_LOTTERY_WAITING, lang=lang)

    jobs.settle_languages()

    assert set(MessageTree.objects.values_list("state", flat=True)) == {S.GROWING}


@pytest.mark.django_db
def test_reservations_are_released_and_old_tasks_removed(alice: User, bob: User) -> None:
    grow("P(A?)")
    now = timezone.now()
    hand_out(alice, TaskType.LABEL_ASSISTANT_REPLY, now=now - timedelta(days=33))
    hand_out(bob, TaskType.LABEL_ASSISTANT_REPLY, now=now - timedelta(minutes=11))
    fresh = hand_out(factories.root(), TaskType.LABEL_ASSISTANT_REPLY, now=now)

    jobs.release_expired_reservations()
    assert list(Task.objects.filter(holds_slot=True)) == [fresh]
    jobs.expire_tasks()

    assert set(Task.objects.values_list("user", flat=True)) == {bob.pk, fresh.user_id}
    assert Offer.objects.get(kind=TaskType.LABEL_ASSISTANT_REPLY).slots == 2


@pytest.mark.django_db
def test_prompts_of_banned_people_are_halted() -> None:
    grown = grow("P", state=S.PROMPT_LOTTERY_WAITING, author=factories.trudy())

    jobs.halt_prompts_of_disabled_users()

    assert grown.refresh().tree.state == S.HALTED_BY_MODERATOR


@pytest.mark.django_db
def test_advance_trees_makes_active_trees_follow_the_configuration() -> None:
    growing = grow("P(A?1)")
    resting = grow("P(A A)", state=S.BACKLOG_RANKING)

    with overridden(num_reviews_reply=5):
        assert jobs.advance_slice() == [growing.tree.pk]
        assert jobs.advance_slice(after=growing.tree.pk) == []

    assert Offer.objects.get(message=growing[1]).slots == 4
    assert resting.refresh().tree.state == S.BACKLOG_RANKING


@pytest.mark.django_db(transaction=True)
def test_accepted_prompt_is_drawn_once_its_review_is_committed(alice: User) -> None:
    """The event's job runs at once in tests; on a site a worker runs it."""
    prompt = factories.write_prompt(alice)

    factories.review(prompt, GOOD, GOOD, GOOD)

    assert MessageTree.objects.get().state == S.GROWING


@pytest.mark.django_db(transaction=True)
def test_advance_trees_goes_on_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SLICE", 1)
    grown = [grow("P(A?1)") for _ in range(3)]

    with overridden(num_reviews_reply=5):
        jobs.advance_trees()

    assert {Offer.objects.get(message=tree[1]).slots for tree in grown} == {4}
