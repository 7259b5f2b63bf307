"""Deleting, restoring, letting out and labelling many messages, each with its way back."""

from datetime import timedelta

import pytest

from oasst.accounts.models import User
from tasks_app import checks, holding, moderation
from tasks_app.bulk import actions, plans
from tasks_app.enums import BulkKind, TaskType
from tasks_app.errors import NoLongerNeeded
from tasks_app.interactions import submit_labels
from tasks_app.models import BulkAction, Message, ModerationAction, TextLabels
from tests.factories import GOOD, NOW, Grown, grow, hand_out, reply
from tests.tasks_app.bulk.given import differing, dump

pytestmark = pytest.mark.slow

LATER = NOW + timedelta(hours=1)
WHY = {"reason": "Twice the same.", "now": LATER}


@pytest.fixture
def trees(db: None) -> list[Grown]:
    return [grow("P(A(P) A)"), grow("P(A(P(A)) Ax A)")]


@pytest.fixture
def held(trees: list[Grown], alice: User, mona: User) -> Message:
    holding.hold_user(alice.pk, actor=mona, reason="Insults.", now=NOW)
    return reply(alice, trees[0].root, "Hm.")


def chosen(trees: list[Grown], kind: BulkKind) -> list:
    places = {
        BulkKind.DELETE: [trees[0][1], trees[0][2], trees[1][1]],
        BulkKind.RESTORE: [trees[1][4]],
        BulkKind.LABEL: [trees[0][1], trees[1][1]],
    }
    return [message.pk for message in places[kind]]


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        (BulkKind.DELETE, (5, 2)),
        (BulkKind.RESTORE, (1, 1)),
        (BulkKind.LABEL, (2, 2)),
    ],
)
def test_what_is_done_in_bulk_is_counted_done_and_undone(
    trees: list[Grown], mona: User, kind: BulkKind, numbers: tuple[int, int]
) -> None:
    before = dump()
    plan = plans.of_messages(kind, chosen(trees, kind), label="pii")
    assert (plan.messages, plan.trees) == numbers
    assert dump() == before

    bulk = actions.do_now(plan, actor=mona, **WHY)
    assert dump() != before
    assert list(checks.broken_invariants()) == []
    actions.undo_now(bulk.pk, actor=mona, reason="They were not.", now=LATER)

    assert list(differing(before, dump())) == []
    assert list(checks.broken_invariants()) == []


def test_held_messages_are_let_out_and_held_again(
    trees: list[Grown], held: Message, mona: User
) -> None:
    before = dump()

    plan = plans.of_messages(BulkKind.RELEASE, [held.pk, trees[0][1].pk])
    bulk = actions.do_now(plan, actor=mona, **WHY)
    assert (plan.messages, Message.objects.held().count()) == (1, 0)
    actions.undo_now(bulk.pk, actor=mona, reason="Too early.", now=LATER)

    assert list(differing(before, dump())) == []


def test_review_of_a_message_that_is_held_again_is_not_needed(
    held: Message, mona: User, bob: User
) -> None:
    plan = plans.of_messages(BulkKind.RELEASE, [held.pk])
    bulk = actions.do_now(plan, actor=mona, **WHY)
    task = hand_out(bob, TaskType.LABEL_ASSISTANT_REPLY, held, now=LATER)
    actions.undo_now(bulk.pk, actor=mona, reason="Too early.", now=LATER)

    with pytest.raises(NoLongerNeeded):
        submit_labels(task.pk, bob, GOOD, now=LATER)
    assert list(checks.broken_invariants()) == []


def test_labels_are_the_moderators_and_no_review(trees: list[Grown], mona: User) -> None:
    message = trees[0][1]
    reviews = message.review_count

    plan = plans.of_messages(BulkKind.LABEL, [message.pk], label="pii")
    actions.do_now(plan, actor=mona, **WHY)

    given = TextLabels.objects.get(user=mona)
    assert (given.kind, given.values) == ("free", {"pii": 1.0})
    message.refresh_from_db()
    assert message.review_count == reviews


def test_authors_are_told_why_and_the_log_names_the_action(trees: list[Grown], mona: User) -> None:
    plan = plans.of_messages(BulkKind.DELETE, [trees[0][1].pk])
    bulk = actions.do_now(plan, actor=mona, **WHY)

    entry = ModerationAction.objects.get()
    assert (entry.message_id, entry.reason) == (trees[0][1].pk, "Twice the same.")
    assert (entry.bulk_id, entry.data) == (bulk.pk, {"messages": 2})


def test_undo_does_not_show_a_reply_below_what_was_hidden_since(
    trees: list[Grown], mona: User
) -> None:
    plan = plans.of_messages(BulkKind.DELETE, [trees[0][2].pk])
    bulk = actions.do_now(plan, actor=mona, **WHY)
    moderation.delete_message(trees[0][1].pk, actor=mona, **WHY)

    actions.undo_now(bulk.pk, actor=mona, reason="A mistake.", now=LATER)

    assert trees[0].refresh()[2].deleted
    assert list(checks.broken_invariants()) == []


def test_nothing_to_do_leaves_no_trace(trees: list[Grown], mona: User) -> None:
    plan = plans.of_messages(BulkKind.RESTORE, [trees[0][1].pk])

    with pytest.raises(actions.NothingToDo):
        actions.begin(plan, actor=mona, **WHY)
    assert not BulkAction.objects.exists()
    assert not ModerationAction.objects.exists()
