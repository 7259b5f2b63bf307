"""Taking a review back at once: as if it had never been sent, unless others have built upon it."""

from datetime import timedelta

import pytest

from oasst.accounts.models import User
from tasks_app import interactions, moderation, undo
from tasks_app.enums import TaskType, TreeState
from tasks_app.errors import (
    AlreadySubmitted,
    DecidedMeanwhile,
    NotAllowed,
    TaskNotFound,
    TooLateToUndo,
    WrongTaskKind,
)
from tasks_app.models import Contribution, Offer, Task, TextLabels
from tests import factories
from tests.factories import GOOD, NOW, SPAM, Grown, grow, hand_out
from tests.tasks_app import oracle

pytestmark = pytest.mark.django_db

K = TaskType
SOON = NOW + timedelta(seconds=9)
GENEROUS = {"quality": 0.75, "pii": 1.0, "not_appropriate": 0.0}


def review(user: User, grown: Grown, place: int = 1, spam: float = 0.0) -> Task:
    """A task on which `user` has just submitted a review."""
    kind = K.LABEL_ASSISTANT_REPLY if place else K.LABEL_INITIAL_PROMPT
    task = hand_out(user, kind, grown[place])
    interactions.submit_labels(task.pk, user, {"spam": spam}, now=NOW)
    return task


def reviews_of(grown: Grown, place: int = 1) -> tuple[int, bool | None]:
    message = grown.refresh()[place]
    return message.review_count, message.review_result


def test_undo_gives_the_task_back_with_its_answers(alice: User) -> None:
    grown = grow("P(A?1)")
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY, grown[1])
    interactions.submit_labels(task.pk, alice, GOOD | GENEROUS, now=NOW)

    back = undo.undo_labels(task.pk, alice, now=SOON)

    assert (back.pk, back.is_open, back.holds_slot, back.submission) == (task.pk, True, True, None)
    assert back.draft.body == {"spam": "0", "quality": "0.75", "pii": "on"}
    assert reviews_of(grown) == (1, None)
    assert TextLabels.objects.filter(user=alice).count() == 0
    assert Contribution.objects.count() == 0
    assert Offer.objects.get(message=grown[1]).slots == 1
    assert oracle.problems() == []


def test_undone_review_can_be_sent_again_and_counts_once(alice: User) -> None:
    grown = grow("P(A?)")
    task = review(alice, grown, spam=1.0)
    undo.undo_labels(task.pk, alice, now=SOON)

    stored = interactions.submit_labels(task.pk, alice, GOOD, now=SOON)

    assert (stored.values, reviews_of(grown)) == ({"spam": 0.0}, (1, None))
    assert Contribution.objects.filter(task=task).count() == 1
    with pytest.raises(AlreadySubmitted):
        interactions.submit_labels(task.pk, alice, SPAM, now=SOON)
    assert oracle.problems() == []


def test_undo_twice_is_fine(alice: User) -> None:
    task = review(alice, grow("P(A?)"))

    first, second = (undo.undo_labels(task.pk, alice, now=SOON) for _ in range(2))

    assert first.pk == second.pk
    assert oracle.problems() == []


def test_undo_after_the_moment_is_refused(alice: User) -> None:
    grown = grow("P(A?)")
    task = review(alice, grown)

    with pytest.raises(TooLateToUndo, match="some seconds"):
        undo.undo_labels(task.pk, alice, now=NOW + undo.ACCEPTED_FOR + timedelta(seconds=1))

    assert reviews_of(grown) == (1, None)


@pytest.mark.parametrize("spam", [0.0, 1.0])
def test_verdict_goes_with_the_review_that_it_rests_on(alice: User, spam: float) -> None:
    grown = grow("P(A?)")
    factories.review(grown[1], *[{"spam": spam}] * 2)
    task = review(alice, grown, spam=spam)
    assert reviews_of(grown) == (3, not spam)

    undo.undo_labels(task.pk, alice, now=SOON)

    assert reviews_of(grown) == (2, None)
    assert Offer.objects.filter(message=grown[1]).count() == 0  # the last place is Alice's again
    assert oracle.problems() == []


def test_reply_to_an_accepted_reply_makes_it_too_late(alice: User, bob: User) -> None:
    grown = grow("P(A?2)")
    task = review(alice, grown)
    factories.reply(bob, grown[1])

    with pytest.raises(DecidedMeanwhile, match="has decided about this message"):
        undo.undo_labels(task.pk, alice, now=SOON)

    assert reviews_of(grown) == (3, True)
    assert TextLabels.objects.filter(task=task).exists()
    assert oracle.problems() == []


def test_verdict_that_stays_keeps_enough_reviews(alice: User, bob: User) -> None:
    """Late reviews object, but the reply has an answer by then, so it stays accepted."""
    grown = grow("P(A?)")
    kind, later = K.LABEL_ASSISTANT_REPLY, NOW + timedelta(hours=1)
    late = [hand_out(user, kind, grown[1]) for user in factories.crowd(3, prefix="Late")]
    interactions.release_expired(now=later)
    early = [factories.label(user, grown[1], now=later).task for user in factories.crowd(3)]
    factories.reply(bob, grown[1], now=later)
    for task in late:
        interactions.submit_labels(task.pk, task.user, SPAM, now=later)

    for task in early:
        undo.undo_labels(task.pk, task.user, now=later)
    with pytest.raises(DecidedMeanwhile):
        undo.undo_labels(late[0].pk, late[0].user, now=later)

    assert reviews_of(grown) == (3, True)
    assert oracle.problems() == []


def test_somebody_writing_a_reply_makes_it_too_late(alice: User, bob: User) -> None:
    grown = grow("P(A?2)")
    task = review(alice, grown)
    hand_out(bob, K.PROMPTER_REPLY, grown[1])

    with pytest.raises(DecidedMeanwhile):
        undo.undo_labels(task.pk, alice, now=SOON)


def test_place_of_a_rejected_reply_that_is_taken_makes_it_too_late(alice: User, bob: User) -> None:
    grown = grow("P(A?)", max_children_count=1)
    factories.review(grown[1], SPAM, SPAM)
    task = review(alice, grown, spam=1.0)
    hand_out(bob, K.ASSISTANT_REPLY, grown.root)

    with pytest.raises(DecidedMeanwhile):
        undo.undo_labels(task.pk, alice, now=SOON)

    assert oracle.problems() == []


@pytest.mark.parametrize(
    ("spam", "state"),
    [
        (0.0, TreeState.PROMPT_LOTTERY_WAITING),
        (1.0, TreeState.ABORTED_LOW_GRADE),
    ],
)
def test_review_that_decided_about_a_prompt_stays(
    alice: User, spam: float, state: TreeState
) -> None:
    grown = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
    factories.review(grown.root, *[{"spam": spam}] * 2)
    task = review(alice, grown, place=0, spam=spam)
    assert grown.refresh().tree.state == state

    with pytest.raises(DecidedMeanwhile):
        undo.undo_labels(task.pk, alice, now=SOON)

    assert not undo.is_offered(task.label_set)
    assert oracle.problems() == []


def test_tree_that_moved_to_ranking_makes_it_too_late(alice: User) -> None:
    grown = grow("P(A?2 A)", goal_tree_size=3)
    task = review(alice, grown)
    assert grown.refresh().tree.state == TreeState.RANKING

    with pytest.raises(DecidedMeanwhile):
        undo.undo_labels(task.pk, alice, now=SOON)

    assert not undo.is_offered(task.label_set)


def test_late_review_is_taken_back_without_a_place(alice: User) -> None:
    grown = grow("P(A?)")
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY, grown[1])
    later = NOW + timedelta(hours=1)
    interactions.release_expired(now=later)
    factories.review(grown[1], GOOD, GOOD, GOOD, now=later)
    interactions.submit_labels(task.pk, alice, SPAM, now=later)

    back = undo.undo_labels(task.pk, alice, now=later)

    assert (back.holds_slot, reviews_of(grown)) == (False, (3, True))
    assert oracle.problems() == []


def test_task_that_expires_meanwhile_is_given_time(alice: User) -> None:
    grown = grow("P(A?)")
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY, grown[1])
    last = task.expires_at - timedelta(seconds=1)
    interactions.submit_labels(task.pk, alice, GOOD, now=last)

    back = undo.undo_labels(task.pk, alice, now=last + timedelta(seconds=5))

    assert back.expires_at >= back.reserved_until > last + timedelta(minutes=5)


def test_only_ones_own_reviews_are_taken_back(alice: User, bob: User) -> None:
    task = review(alice, grow("P(A?)"))
    writing = hand_out(bob, K.ASSISTANT_REPLY, grow("P").root)

    with pytest.raises(TaskNotFound):
        undo.undo_labels(task.pk, bob, now=SOON)
    with pytest.raises(WrongTaskKind):
        undo.undo_labels(writing.pk, bob, now=SOON)


def test_skipped_task_has_nothing_to_take_back(alice: User) -> None:
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1])
    interactions.skip(task.pk, alice, now=NOW)

    with pytest.raises(TooLateToUndo):
        undo.undo_labels(task.pk, alice, now=SOON)


def test_banned_person_takes_nothing_back(alice: User, mona: User) -> None:
    task = review(alice, grow("P(A?)"))
    moderation.ban_user(alice.pk, actor=mona, reason="spam", now=NOW)

    with pytest.raises(NotAllowed):
        undo.undo_labels(task.pk, alice, now=SOON)
