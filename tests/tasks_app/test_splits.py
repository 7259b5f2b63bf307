"""Adaptive overlap: few reviews where all is clear, more where people differ, then a moderator."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client

from oasst.accounts.models import User
from tasks_app import (
    blockers,
    checks,
    fate,
    holding,
    interactions,
    jobs,
    moderation,
    splits,
    taking_back,
    undo,
)
from tasks_app.config import TreeConfig, overridden
from tasks_app.enums import ModerationKind, TaskType, TreeState
from tasks_app.errors import DecidedMeanwhile, ReasonMissing
from tasks_app.models import Message, ModerationAction, Offer, Task
from tests import factories
from tests.factories import GOOD, NOW, SPAM, Grown, grow, hand_out, label

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

MIXED = [GOOD, SPAM, GOOD, SPAM, GOOD]


@pytest.fixture(autouse=True)
def _adaptive() -> Iterator[None]:
    with overridden(adaptive_overlap=True, p_gold=0.0, p_gold_newcomer=0.0):
        yield


def review(message: Message, *votes: dict[str, float]) -> Message:
    return factories.review(message, *votes)


def slots(message: Message) -> int:
    offer = Offer.objects.filter(pk=message.pk, kind__startswith="label").first()
    return offer.slots if offer else 0


def split_reply() -> Grown:
    grown = grow("P(A?)", goal_tree_size=2)
    review(grown[1], *MIXED[:4])
    label(factories.person("Fifth"), grown[1], {"spam": 0.0})
    return grown.refresh()


def test_two_reviews_that_agree_decide() -> None:
    good, bad = grow("P(A?)"), grow("P(A?)")
    assert slots(good[1]) == 2

    accepted, rejected = review(good[1], GOOD, GOOD), review(bad[1], SPAM, SPAM)

    assert (accepted.review_result, accepted.review_count) == (True, 2)
    assert (rejected.review_result, rejected.review_count) == (False, 2)
    assert (slots(accepted), slots(rejected)) == (0, 0)
    assert list(checks.broken_invariants()) == []


def test_where_people_differ_one_more_is_asked() -> None:
    grown = grow("P(A?)")

    message = review(grown[1], GOOD, SPAM)

    assert (message.review_result, message.reviews_wanted, slots(message)) == (None, 3, 1)
    assert fate.status(message, TreeConfig.current()).label == "In review, 2 of 3"


def test_after_five_reviews_that_differ_it_waits_for_a_moderator(alice: User) -> None:
    with overridden(adaptive_threshold=0.999):
        grown = split_reply()

        message = grown[1]
        assert (message.review_result, message.split_at, slots(message)) == (None, NOW, 0)
        assert list(Message.objects.split()) == [message]
        assert grown.tree.state == TreeState.GROWING
        assert fate.status(message, TreeConfig.current()).label == "A moderator decides"
        texts = [b.text for b in blockers.explain(alice, "label_assistant_reply", ["en"], now=NOW)]
        assert "Reviewers differ about 1 message; a moderator decides about it." in texts
        assert list(checks.broken_invariants()) == []


@pytest.mark.parametrize("accept", [True, False])
def test_moderator_decides_with_a_reason_and_the_tree_goes_on(mona: User, accept: bool) -> None:
    with overridden(adaptive_threshold=0.999):
        grown = split_reply()
        message = grown[1]

        with pytest.raises(ReasonMissing):
            splits.decide(message.pk, accept=accept, actor=mona, reason=" ", now=NOW)
        splits.decide(message.pk, accept=accept, actor=mona, reason="On topic.", now=NOW)

        grown.refresh()
        assert message.review_result is accept
        entry = ModerationAction.objects.get(action=ModerationKind.DECIDE_SPLIT)
        assert (entry.actor, entry.message_id, entry.reason) == (mona, message.pk, "On topic.")
        assert (grown.tree.state != TreeState.GROWING) is accept
        with pytest.raises(splits.NotSplit):
            splits.decide(message.pk, accept=not accept, actor=mona, reason="No.", now=NOW)
        assert list(checks.broken_invariants()) == []


def test_what_a_moderator_decided_is_not_changed_by_late_reviews(mona: User, bob: User) -> None:
    with overridden(adaptive_threshold=0.999):
        grown = grow("P(A? A?)", goal_tree_size=9)
        late = hand_out(bob, TaskType.LABEL_ASSISTANT_REPLY, grown[1])
        interactions.release_expired(now=NOW + timedelta(minutes=11))
        review(grown[1], *MIXED[:4])
        label(factories.person("Fifth"), grown[1], SPAM)
        splits.decide(grown[1].pk, accept=False, actor=mona, reason="Rude.", now=NOW)

    with overridden(adaptive_threshold=0.5):
        interactions.submit_labels(late.pk, bob, GOOD, now=NOW)

    message = grown.refresh()[1]
    assert (message.review_count, message.review_result) == (6, False)


@pytest.mark.parametrize("accept", [True, False])
def test_decision_taken_back_lets_the_message_wait_again(mona: User, accept: bool) -> None:
    with overridden(adaptive_threshold=0.999):
        grown = decided(mona, accept=accept)

        undo_last(mona)

        message = grown.refresh()[1]
        assert (message.review_result, list(Message.objects.split())) == (None, [message])
        assert fate.reasons([message]) == {}
        splits.decide(message.pk, accept=not accept, actor=mona, reason="On topic.", now=NOW)
        assert fate.reasons([grown.refresh()[1]])[message.pk] == ["On topic."]
        assert list(checks.broken_invariants()) == []


def test_decision_others_have_built_upon_stays(mona: User, bob: User) -> None:
    with overridden(adaptive_threshold=0.999):
        grown = decided(mona, accept=True)
        hand_out(bob, TaskType.PROMPTER_REPLY, grown[1])

        with pytest.raises(DecidedMeanwhile):
            undo_last(mona)


def decided(moderator: User, *, accept: bool) -> Grown:
    """A growing tree whose reply reviewers differed about, until a moderator decided."""
    grown = grow("P(A? A)", goal_tree_size=9)
    review(grown[1], *MIXED[:4])
    label(factories.person("Fifth"), grown[1], SPAM)
    splits.decide(grown[1].pk, accept=accept, actor=moderator, reason="Rude.", now=NOW)
    return grown


def undo_last(actor: User) -> None:
    entry = ModerationAction.objects.latest("id")
    taking_back.take_back(entry.pk, actor=actor, reason="Read again.", now=NOW)


def test_split_prompt_is_not_given_up(mona: User) -> None:
    with overridden(adaptive_threshold=0.999):
        grown = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
        review(grown.root, *MIXED)

        assert grown.refresh().tree.state == TreeState.INITIAL_PROMPT_REVIEW
        splits.decide(grown.root.pk, accept=False, actor=mona, reason="Rude.", now=NOW)
        assert grown.refresh().tree.state == TreeState.ABORTED_LOW_GRADE


def split_by_an_odd_one() -> tuple[Message, Task]:
    """Three against two differ, three against one agree."""
    grown = grow("P(A?)")
    review(grown[1], GOOD, SPAM)
    odd = hand_out(factories.person("Odd"), TaskType.LABEL_ASSISTANT_REPLY, grown[1])
    interactions.submit_labels(odd.pk, odd.user, SPAM, now=NOW)
    for name in ("Fourth", "Fifth"):
        label(factories.person(name), grown[1], GOOD)
    assert list(Message.objects.split()) == [grown[1]]
    return grown[1], odd


def test_those_who_are_left_may_agree_and_then_nobody_waits_for_a_moderator() -> None:
    with overridden(adaptive_threshold=0.95):
        message, odd = split_by_an_odd_one()

        undo.undo_labels(odd.pk, odd.user, now=NOW + timedelta(seconds=3))

    message.refresh_from_db()
    assert (message.review_result, message.split_at) == (True, None)
    assert list(checks.broken_invariants()) == []


def test_where_a_held_person_was_the_odd_one_nobody_waits_for_a_moderator(mona: User) -> None:
    with overridden(adaptive_threshold=0.95):
        message, odd = split_by_an_odd_one()

        holding.hold_user(odd.user_id, actor=mona, reason="Votes at random.", now=NOW)
        jobs.recount_trees()

    message.refresh_from_db()
    assert (message.review_result, message.split_at) == (True, None)
    assert list(checks.broken_invariants()) == []


def test_review_that_split_a_message_can_be_taken_back() -> None:
    with overridden(adaptive_threshold=0.999):
        grown = grow("P(A?)", goal_tree_size=9)
        review(grown[1], *MIXED[:4])
        fifth = factories.person("Fifth")
        stored = label(fifth, grown[1], GOOD)

        undo.undo_labels(stored.task_id, fifth, now=NOW)

        message = grown.refresh()[1]
        assert (message.split_at, message.review_count, message.reviews_wanted) == (None, 4, 5)
        assert list(checks.broken_invariants()) == []


def test_switching_it_off_asks_one_more_reviewer(mona: User) -> None:
    with overridden(adaptive_threshold=0.999):
        grown = split_reply()

    with overridden(adaptive_overlap=False):
        jobs.advance_trees()
        assert slots(grown[1]) == 1
        label(factories.person("Sixth"), grown[1], GOOD)
        message = grown.refresh()[1]
        assert (message.review_result, message.split_at) == (True, None)
        assert list(checks.broken_invariants()) == []


def test_what_was_left_out_by_two_stays_out_when_it_is_switched_off() -> None:
    grown = grow("P(A?)", goal_tree_size=9)
    review(grown[1], SPAM, SPAM)

    with overridden(adaptive_overlap=False):
        jobs.advance_trees()
        assert grown.refresh()[1].review_result is False
        assert slots(grown[1]) == 0
        assert list(checks.broken_invariants()) == []


def test_deleted_message_leaves_the_queue(mona: User) -> None:
    with overridden(adaptive_threshold=0.999):
        grown = split_reply()
        moderation.delete_message(grown[1].pk, actor=mona, reason="Rude.", now=NOW)

        assert list(Message.objects.split()) == []
        with pytest.raises(splits.NotSplit):
            splits.decide(grown[1].pk, accept=True, actor=mona, reason="Fine.", now=NOW)


def test_list_of_what_reviewers_differ_about_is_oldest_first(moderator: Client) -> None:
    first, second, third = (grow("P(A?)", now=NOW + timedelta(days=n))[1] for n in range(3))
    for number, message in enumerate((second, third, first)):
        at = NOW + timedelta(days=10, hours=number)
        Message.objects.filter(pk=message.pk).update(split_at=at)

    shown = moderator.get("/admin/tasks_app/message/", {"split": "yes"}).context["cl"]

    assert [row.pk for row in shown.result_list] == [second.pk, third.pk, first.pk]
    newest = moderator.get("/admin/tasks_app/message/").context["cl"].result_list
    assert newest[0].tree_id == third.tree_id
