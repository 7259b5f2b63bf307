"""Places held for people: expiry, heartbeat, late answers, skips and drafts."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from oasst.accounts.models import User
from tasks_app import interactions, moderation
from tasks_app.enums import ContributionKind, TaskType
from tasks_app.errors import (
    AlreadySubmitted,
    SlotTaken,
    TaskExpired,
    TaskNotFound,
    TaskSkipped,
)
from tasks_app.models import Contribution, Draft, Message, Offer, Task
from tests import factories
from tests.factories import NOW, grow, hand_out

pytestmark = pytest.mark.django_db

K = TaskType
LATER = NOW + timedelta(hours=1)


# Reservations


def test_late_reply_is_accepted_while_the_place_is_free(alice: User) -> None:
    grown = grow("P", max_children_count=1)
    task = hand_out(alice, K.ASSISTANT_REPLY)
    interactions.release_expired(now=LATER)

    message = interactions.submit_reply(task.pk, alice, "Late.", now=LATER)

    assert message.parent == grown.root
    assert not Offer.objects.filter(message=grown.root, slots__gt=0).exists()


@pytest.mark.parametrize("submitted", [False, True])
def test_late_reply_is_kept_as_draft_when_the_place_is_taken(
    alice: User, bob: User, submitted: bool
) -> None:
    grown = grow("P", max_children_count=1)
    task = hand_out(alice, K.ASSISTANT_REPLY)
    interactions.release_expired(now=LATER)
    other = hand_out(bob, K.ASSISTANT_REPLY, now=LATER)
    if submitted:
        interactions.submit_reply(other.pk, bob, "First.", now=LATER)

    with pytest.raises(SlotTaken):
        interactions.submit_reply(task.pk, alice, "My long text.", now=LATER)

    draft = Draft.objects.get(task=task)
    assert (draft.body, draft.kept_because) == ({"text": "My long text."}, "slot_taken")
    assert Message.objects.filter(parent=grown.root).count() == int(submitted)


def test_reply_after_the_last_day_is_kept_as_draft(alice: User) -> None:
    grow("P")
    task = hand_out(alice, K.ASSISTANT_REPLY)

    with pytest.raises(TaskExpired):
        interactions.submit_reply(task.pk, alice, "Too late.", now=NOW + timedelta(days=2))

    assert Draft.objects.get(task=task).kept_because == "task_expired"


def test_reply_to_a_tree_that_was_halted_is_kept_as_draft(alice: User) -> None:
    grown = grow("P(A)")
    task = hand_out(alice, K.ASSISTANT_REPLY, grown.root)
    moderation.halt_tree(grown.tree.pk, actor=None, reason="spam", now=NOW)

    with pytest.raises(SlotTaken):
        interactions.submit_reply(task.pk, alice, "Alas.", now=NOW)
    assert Draft.objects.get(task=task).body == {"text": "Alas."}


def test_release_expired_frees_only_what_is_overdue(alice: User, bob: User) -> None:
    grown = grow("P(A?)")
    old = hand_out(alice, K.LABEL_ASSISTANT_REPLY)
    new = hand_out(bob, K.LABEL_ASSISTANT_REPLY, now=NOW + timedelta(minutes=8))

    released = interactions.release_expired(now=NOW + timedelta(minutes=11))

    assert released == 1
    assert [Task.objects.get(pk=task.pk).holds_slot for task in (old, new)] == [False, True]
    assert Offer.objects.get(message=grown[1]).slots == 2
    assert interactions.release_expired(now=NOW + timedelta(minutes=11)) == 0


@pytest.mark.parametrize(
    ("kind", "minutes"), [("assistant_reply", 30), ("label_assistant_reply", 10)]
)
def test_heartbeat_holds_the_place_for_longer(alice: User, kind: str, minutes: int) -> None:
    grow("P(A?)")
    task = hand_out(alice, kind)
    assert task.reserved_until == NOW + timedelta(minutes=minutes)

    beat = NOW + timedelta(minutes=minutes - 1)
    until = interactions.extend(task.pk, alice, now=beat)

    assert until == beat + timedelta(minutes=minutes)
    assert interactions.release_expired(now=until - timedelta(seconds=1)) == 0
    assert interactions.release_expired(now=until + timedelta(seconds=1)) == 1


def test_heartbeat_ends_with_the_task(alice: User) -> None:
    grow("P")
    task = hand_out(alice, K.ASSISTANT_REPLY)

    until = interactions.extend(task.pk, alice, now=task.expires_at - timedelta(minutes=1))

    assert until == task.expires_at


def test_heartbeat_takes_a_free_place_back(alice: User) -> None:
    grown = grow("P", max_children_count=1)
    task = hand_out(alice, K.ASSISTANT_REPLY)
    interactions.release_expired(now=LATER)
    assert Offer.objects.get(message=grown.root).slots == 1

    interactions.extend(task.pk, alice, now=LATER)

    assert Task.objects.get().holds_slot is True
    assert not Offer.objects.filter(message=grown.root, slots__gt=0).exists()


def test_heartbeat_says_when_the_place_of_a_reply_is_gone(alice: User, bob: User) -> None:
    grow("P", max_children_count=1)
    task = hand_out(alice, K.ASSISTANT_REPLY)
    interactions.release_expired(now=LATER)
    hand_out(bob, K.ASSISTANT_REPLY, now=LATER)

    with pytest.raises(SlotTaken):
        interactions.extend(task.pk, alice, now=LATER)


def test_heartbeat_of_a_review_that_others_finished_goes_on(alice: User) -> None:
    grown = grow("P(A?2)")
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY)
    interactions.release_expired(now=LATER)
    factories.label(factories.bob(), grown[1], now=LATER)

    interactions.extend(task.pk, alice, now=LATER)

    assert Task.objects.get(pk=task.pk).holds_slot is False


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (lambda task, user: interactions.skip(task.pk, user, now=NOW), TaskSkipped),
        (
            lambda task, user: interactions.submit_reply(task.pk, user, "Done.", now=NOW),
            AlreadySubmitted,
        ),
    ],
)
def test_heartbeat_of_an_ended_task_is_refused(
    alice: User, end: Callable[[Task, User], Any], error: type[Exception]
) -> None:
    grow("P")
    task = hand_out(alice, K.ASSISTANT_REPLY)
    end(task, alice)

    with pytest.raises(error):
        interactions.extend(task.pk, alice, now=NOW)

    assert Task.objects.get().holds_slot is False


def test_delete_expired_keeps_tasks_with_a_draft(alice: User) -> None:
    grow("P(A?)")
    empty = hand_out(alice, K.LABEL_ASSISTANT_REPLY)
    written = hand_out(alice, K.ASSISTANT_REPLY)
    interactions.save_draft(written.pk, alice, {"text": "Half a thought"}, now=NOW)

    assert interactions.delete_expired(now=NOW + timedelta(days=1)) == 0
    interactions.delete_expired(now=NOW + timedelta(days=2) + interactions.KEEP_EXPIRED)

    assert list(Task.objects.values_list("pk", "holds_slot")) == [(written.pk, False)]
    assert not Task.objects.filter(pk=empty.pk).exists()
    assert Offer.objects.get(kind=K.LABEL_ASSISTANT_REPLY).slots == 3


# Skipping


def test_skip_gives_the_slot_back_and_leaves_a_mark(alice: User) -> None:
    grown = grow("P(A?)")
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY)

    interactions.skip(task.pk, alice, now=NOW, reason="  Not my field. ")

    task.refresh_from_db()
    assert (task.skipped_at, task.skip_reason, task.holds_slot) == (NOW, "Not my field.", False)
    assert grown.refresh()[1].emojis == {"_skip_labeling": 1}
    assert Offer.objects.get(message=grown[1]).slots == 3
    assert Contribution.objects.get().kind == ContributionKind.SKIP


def test_skip_twice_has_one_effect(alice: User) -> None:
    grown = grow("P(A?)")
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY)

    for _ in range(2):
        interactions.skip(task.pk, alice, now=NOW)

    assert grown.refresh()[1].emojis == {"_skip_labeling": 1}
    assert Contribution.objects.count() == 1


def test_skip_of_a_prompt_leaves_no_mark(alice: User) -> None:
    task = hand_out(alice, K.INITIAL_PROMPT)

    interactions.skip(task.pk, alice, now=NOW)

    assert hand_out(alice, K.INITIAL_PROMPT) != task


def test_submit_after_a_skip_is_refused_and_the_text_is_kept(alice: User) -> None:
    grow("P")
    task = hand_out(alice, K.ASSISTANT_REPLY)
    interactions.skip(task.pk, alice, now=NOW)

    with pytest.raises(TaskSkipped):
        interactions.submit_reply(task.pk, alice, "After all.", now=NOW)

    assert Draft.objects.get().body == {"text": "After all."}


# Drafts


def test_draft_is_kept_and_replaced_and_gone_with_the_submit(alice: User) -> None:
    grow("P")
    task = hand_out(alice, K.ASSISTANT_REPLY)

    interactions.save_draft(task.pk, alice, {"text": "One"}, now=NOW)
    interactions.save_draft(task.pk, alice, {"text": "One two"}, now=LATER)
    draft = Draft.objects.get()
    assert (draft.body, draft.saved_at, draft.kept_because) == ({"text": "One two"}, LATER, "")

    interactions.submit_reply(task.pk, alice, "One two three.", now=LATER)
    assert Draft.objects.count() == 0


def test_draft_of_somebody_else_does_not_exist(alice: User, bob: User) -> None:
    task = hand_out(alice, K.INITIAL_PROMPT)

    with pytest.raises(TaskNotFound):
        interactions.save_draft(task.pk, bob, {"text": "x"}, now=NOW)


def test_draft_drops_what_the_database_cannot_keep(alice: User) -> None:
    task = hand_out(alice, K.INITIAL_PROMPT)

    interactions.save_draft(
        task.pk, alice, {"text": "a\x00b\ud800c", "groups": [["\x00"]], "n": 1}, now=NOW
    )

    assert Draft.objects.get().body == {"text": "abc", "groups": [[""]], "n": 1}
