"""What people do with a task: each answer once, nothing lost, limits kept."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from oasst.accounts.models import User
from tasks_app import interactions, labels, trees
from tasks_app.enums import ContributionKind, TaskType, TreeState
from tasks_app.errors import (
    AlreadyReviewed,
    DuplicateReply,
    DuplicateText,
    InvalidRanking,
    NoLongerNeeded,
    SelfReview,
    TaskExpired,
    TextEmpty,
    TextInvalid,
    TextTooLong,
)
from tasks_app.labels import InvalidLabels
from tasks_app.models import Contribution, Draft, Message, Offer, Ranking, Task, TextLabels
from tests import factories
from tests.factories import GOOD, NOW, SPAM, grow, hand_out

pytestmark = pytest.mark.django_db

K = TaskType
LATER = NOW + timedelta(hours=1)


# Writing


def test_submit_reply_stores_the_text_below_its_parent(alice: User) -> None:
    grown = grow("P(A(P))")
    task = hand_out(alice, K.ASSISTANT_REPLY, grown[2])

    message = interactions.submit_reply(task.pk, alice, "  Like this. \n", now=LATER)

    assert (message.parent, message.tree, message.user) == (grown[2], grown.tree, alice)
    assert (message.text, message.role, message.depth) == ("Like this.", "assistant", 3)
    assert (message.lang, message.created_at, message.review_count) == ("en", LATER, 0)
    task.refresh_from_db()
    assert (task.done_at, task.holds_slot, task.result) == (LATER, False, message)
    assert grown.refresh()[2].children_count == 1


def test_submit_prompt_starts_a_tree_in_the_chosen_language(alice: User) -> None:
    task = hand_out(alice, K.INITIAL_PROMPT)

    message = interactions.submit_reply(task.pk, alice, "Wie geht das?", now=NOW, lang="de")

    assert (message.tree_id, message.parent, message.depth) == (message.pk, None, 0)
    assert (message.lang, message.tree.lang, message.role) == ("de", "de", "prompter")


def test_submit_reply_notes_the_language_it_seems_to_be_in(alice: User) -> None:
    task = hand_out(alice, K.INITIAL_PROMPT)
    text = "Wie backe ich ein gutes Brot, wenn ich keine Hefe im Haus habe?"

    message = interactions.submit_reply(task.pk, alice, text, now=NOW)

    assert (message.lang, message.detected_lang) == ("en", "de")


def test_submit_reply_is_reviewed_next_and_takes_a_place(alice: User) -> None:
    grown = grow("P")
    places = grown.tree.open_places

    message = factories.reply(alice, grown.root)

    assert Offer.objects.get(message=message).kind == K.LABEL_ASSISTANT_REPLY
    assert Offer.objects.get(message=grown.root).slots == 2
    assert grown.refresh().tree.open_places == places - 1


def test_submit_reply_writes_the_journal(alice: User) -> None:
    grown = grow("P")

    message = factories.reply(alice, grown.root, "Short.")

    entry = Contribution.objects.get()
    assert (entry.kind, entry.user, entry.message) == (ContributionKind.REPLY, alice, message)
    assert entry.data == {"length": 6, "role": "assistant"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", TextEmpty),
        (" \n\t\u2003", TextEmpty),
        ("x" * 2001, TextTooLong),
        ("a\x00b", TextInvalid),
        ("a\ud800b", TextInvalid),
    ],
)
def test_submit_reply_refuses_bad_text_and_keeps_the_task_open(
    alice: User, text: str, error: type[Exception]
) -> None:
    grown = grow("P")
    task = hand_out(alice, K.ASSISTANT_REPLY)

    with pytest.raises(error):
        interactions.submit_reply(task.pk, alice, text, now=NOW)

    task.refresh_from_db()
    assert (task.is_open, task.holds_slot) == (True, True)
    assert Message.objects.filter(parent=grown.root).count() == 0


@pytest.mark.parametrize("text", ["x" * 2000, "🦜" * 2000, " " * 50 + "y" * 2000 + "\n"])
def test_submit_reply_accepts_text_up_to_the_limit(alice: User, text: str) -> None:
    grow("P")
    task = hand_out(alice, K.ASSISTANT_REPLY)

    assert len(interactions.submit_reply(task.pk, alice, text, now=NOW).text) == 2000


def test_same_text_again_within_two_hours_is_refused(alice: User, bob: User) -> None:
    first, second = grow("P"), grow("P")
    factories.reply(alice, first.root, "The same words.", now=NOW)

    soon = NOW + timedelta(minutes=119)
    with pytest.raises(DuplicateText):
        factories.reply(alice, second.root, "The same words.", now=soon)
    assert factories.reply(bob, second.root, "The same words.", now=soon).user == bob
    task = hand_out(alice, K.ASSISTANT_REPLY, now=soon)
    assert task.draft.body == {"text": "The same words."}

    late = NOW + timedelta(minutes=121)
    assert interactions.submit_reply(task.pk, alice, "The same words.", now=late).user == alice


def test_second_reply_to_the_same_message_is_refused(alice: User) -> None:
    grown = grow("P")
    task = hand_out(alice, K.ASSISTANT_REPLY)
    Message.objects.create(  # as an import might bring one
        tree=grown.tree,
        parent=grown.root,
        user=alice,
        role="assistant",
        text="Earlier.",
        lang="en",
        depth=1,
        created_at=NOW,
    )

    with pytest.raises(DuplicateReply):
        interactions.submit_reply(task.pk, alice, "Again.", now=NOW)

    assert Draft.objects.get().body == {"text": "Again."}


# Reviews


def test_submit_labels_stores_only_what_was_answered(bob: User) -> None:
    grown = grow("P(A?)")

    label_set = factories.label(bob, grown[1], {"spam": 0, "quality": 0.75})

    assert TextLabels.objects.get(pk=label_set.pk).values == {"spam": 0.0, "quality": 0.75}
    assert grown.refresh()[1].review_count == 1
    assert Offer.objects.get(message=grown[1]).slots == 2


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"quality": 1},
        {"spam": 0.5},
        {"spam": float("nan")},
        {"spam": -1},
        {"spam": 2},
        {"spam": "1"},
        {"spam": None},
        {"spam": 0, "surprise": 1},
        {"spam": 0, "moral_judgement": 1},
    ],
)
def test_submit_labels_refuses_what_does_not_fit_the_form(
    bob: User, values: dict[str, Any]
) -> None:
    grown = grow("P(A?)")
    task = hand_out(bob, K.LABEL_ASSISTANT_REPLY)

    with pytest.raises(InvalidLabels):
        interactions.submit_labels(task.pk, bob, values, now=NOW)

    assert grown.refresh()[1].review_count == 0
    assert Task.objects.get().holds_slot is True


@pytest.mark.parametrize(
    ("votes", "accepted"),
    [
        ([GOOD, GOOD, GOOD], True),
        ([SPAM, GOOD, GOOD], True),
        ([SPAM, SPAM, GOOD], False),
        ([SPAM, {"spam": 0, "lang_mismatch": 1}, GOOD], False),
        ([GOOD, {"spam": 0, "lang_mismatch": 1}, GOOD], True),
        # No other label counts.
        ([{"spam": 0, "quality": 0, "fails_task": 1, "hate_speech": 1}] * 3, True),
    ],
)
def test_three_reviews_decide_on_a_reply(votes: list[dict], accepted: bool) -> None:
    grown = grow("P(A?)")

    factories.review(grown[1], *votes[:2])
    assert grown.refresh()[1].review_result is None
    factories.label(factories.bob(), grown[1], votes[2])

    assert grown.refresh()[1].review_result is accepted


def late_reviewers(message: Message, count: int) -> list[tuple[Task, User]]:
    """People who hold reviews of `message` that have ended, but are still open."""
    people = factories.crowd(count, prefix="Late")
    tasks = []
    for number, user in enumerate(people):
        when = NOW + timedelta(minutes=11 * number)
        tasks.append(
            (
                hand_out(
                    user,
                    labels.review_kind(message.role, is_root=False),
                    message,
                    now=when,
                ),
                user,
            )
        )
        interactions.release_expired(now=when + timedelta(minutes=11))
    return tasks


def test_late_review_counts_and_changes_a_verdict() -> None:
    grown = grow("P(A?)")
    late = late_reviewers(grown[1], 2)
    factories.review(grown[1], SPAM, GOOD, GOOD, now=LATER)
    assert grown.refresh()[1].review_result is True

    for task, user in late:
        interactions.submit_labels(task.pk, user, SPAM, now=LATER)

    assert (grown.refresh()[1].review_count, grown[1].review_result) == (5, False)
    assert Offer.objects.get(message=grown.root).slots == 3


def test_late_review_does_not_reject_what_others_build_upon() -> None:
    grown = grow("P(A?)")
    late = late_reviewers(grown[1], 2)
    factories.review(grown[1], SPAM, GOOD, GOOD, now=LATER)
    hand_out(factories.alice(), K.PROMPTER_REPLY, now=LATER)

    for task, user in late:
        interactions.submit_labels(task.pk, user, SPAM, now=LATER)

    assert (grown.refresh()[1].review_count, grown[1].review_result) == (5, True)


@pytest.mark.parametrize(("replaced", "accepted"), [(False, True), (True, False)])
def test_late_review_accepts_a_reply_only_while_its_place_is_free(
    replaced: bool, accepted: bool
) -> None:
    grown = grow("P(A?)", max_children_count=1)
    late = late_reviewers(grown[1], 3)
    factories.review(grown[1], SPAM, SPAM, GOOD, now=LATER)
    if replaced:
        factories.reply(factories.alice(), grown.root, now=LATER)

    for task, user in late:
        interactions.submit_labels(task.pk, user, GOOD, now=LATER)

    assert grown.refresh()[1].review_result is accepted
    assert grown.root.children_count == 1


def test_late_review_of_an_exported_tree_counts() -> None:
    grown = grow("P(A?)", goal_tree_size=2)
    ((task, user),) = late_reviewers(grown[1], 1)
    factories.review(grown[1], GOOD, GOOD, GOOD, now=LATER)
    assert grown.refresh().tree.state == TreeState.READY_FOR_EXPORT

    interactions.submit_labels(task.pk, user, SPAM, now=LATER)

    assert (grown.refresh()[1].review_count, grown[1].review_result) == (4, True)


def test_prompt_that_was_accepted_stays_accepted(alice: User) -> None:
    prompt = factories.write_prompt(alice)
    people = factories.crowd(2, prefix="Late")
    late = [(hand_out(user, K.LABEL_INITIAL_PROMPT), user) for user in people]
    interactions.release_expired(now=LATER)
    factories.review(prompt, GOOD, GOOD, GOOD, now=LATER)

    for task, user in late:
        interactions.submit_labels(task.pk, user, SPAM, now=LATER)

    prompt.refresh_from_db()
    assert (prompt.review_count, prompt.review_result) == (5, True)


@pytest.mark.parametrize("state", ["halted_by_moderator", "aborted_low_grade"])
def test_review_of_a_closed_conversation_is_not_needed(bob: User, state: str) -> None:
    grown = grow("P(A?)")
    task = hand_out(bob, K.LABEL_ASSISTANT_REPLY)
    trees.enter(grown.tree, TreeState(state), now=NOW, reason="test")

    with pytest.raises(NoLongerNeeded):
        interactions.submit_labels(task.pk, bob, GOOD, now=NOW)
    assert TextLabels.objects.filter(user=bob).count() == 0


def test_own_message_cannot_be_reviewed_even_with_a_task(alice: User) -> None:
    grown = grow("P(A?)")
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY)
    Message.objects.filter(pk=grown[1].pk).update(user=alice)

    with pytest.raises(SelfReview):
        interactions.submit_labels(task.pk, alice, GOOD, now=NOW)


def test_second_review_by_the_same_person_is_refused(bob: User) -> None:
    grown = grow("P(A?)")
    task = hand_out(bob, K.LABEL_ASSISTANT_REPLY)
    TextLabels.objects.create(  # as an import might bring one
        message=grown[1], user=bob, kind="task", values=GOOD, created_at=NOW
    )

    with pytest.raises(AlreadyReviewed):
        interactions.submit_labels(task.pk, bob, SPAM, now=NOW)

    assert TextLabels.objects.get(user=bob).values == GOOD
    assert Task.objects.get().is_open


# Rankings


def ranking_task(user: User) -> tuple[factories.Grown, Task]:
    grown = grow("P(A A A)", state=TreeState.RANKING)
    return grown, hand_out(user, K.RANK_ASSISTANT_REPLIES)


def test_submit_ranking_stores_ties_and_counts(bob: User) -> None:
    grown, task = ranking_task(bob)
    _, a, b, c = grown

    ranking = interactions.submit_ranking(task.pk, bob, [[b.pk], [a.pk, c.pk]], now=NOW)

    assert Ranking.objects.get(pk=ranking.pk).groups == [[str(b.pk)], [str(a.pk), str(c.pk)]]
    assert [m.ranking_count for m in grown.refresh()] == [0, 1, 1, 1]
    assert Offer.objects.get().slots == 2


def test_submit_ranking_accepts_that_nothing_can_be_ranked(bob: User) -> None:
    _, task = ranking_task(bob)

    ranking = interactions.submit_ranking(
        task.pk, bob, [], now=NOW, not_rankable=True, reason="All wrong."
    )

    assert (ranking.not_rankable, ranking.reason) == (True, "All wrong.")
    assert Offer.objects.get().slots == 2


def test_second_ranking_by_the_same_person_is_refused(bob: User) -> None:
    grown, task = ranking_task(bob)
    grown.root.rankings.create(user=bob, groups=[], not_rankable=True, created_at=NOW)

    with pytest.raises(AlreadyReviewed):
        interactions.submit_ranking(task.pk, bob, [task.shown_ids], now=NOW)

    assert grown.root.rankings.count() == 1
    assert Task.objects.get().is_open


@pytest.mark.parametrize(
    "order",
    [
        lambda ids: [],
        lambda ids: [[ids[0]], [ids[1]]],
        lambda ids: [[ids[0]], [ids[1]], [ids[1]]],
        lambda ids: [[ids[0]], [ids[1]], [ids[2]], [ids[2]]],
        lambda ids: [[ids[0]], [ids[1]], [uuid.uuid4()]],
        lambda ids: [[ids[0], ids[1], ids[2], uuid.uuid4()]],
        lambda ids: [["nonsense"], [ids[1]], [ids[2]]],
    ],
)
def test_submit_ranking_refuses_anything_but_an_order_of_what_was_shown(
    bob: User, order: Callable[[list], list]
) -> None:
    grown, task = ranking_task(bob)

    with pytest.raises(InvalidRanking):
        interactions.submit_ranking(task.pk, bob, order([m.pk for m in grown[1:]]), now=NOW)

    assert Ranking.objects.count() == 0
    assert Task.objects.get().holds_slot is True


def test_late_ranking_changes_the_ranks_of_an_exported_tree() -> None:
    grown = grow("P(A A)", state=TreeState.RANKING)
    root, a, b = grown
    people = factories.crowd(6)
    late = []
    for number, user in enumerate(people[:3]):
        when = NOW + timedelta(minutes=11 * number)
        late.append((hand_out(user, K.RANK_ASSISTANT_REPLIES, now=when), user))
        interactions.release_expired(now=when + timedelta(minutes=11))
    for user, order in zip(people[3:], [(a, b), (a, b), (b, a)], strict=True):
        factories.rank(user, root, order, now=LATER)
    assert grown.refresh().tree.state == TreeState.READY_FOR_EXPORT
    assert [a.rank, b.rank] == [0, 1]

    for task, user in late:
        interactions.submit_ranking(task.pk, user, [[b.pk], [a.pk]], now=LATER)

    grown.refresh()
    assert [a.rank, b.rank] == [1, 0]
    assert root.consensus.rankings == 6


def test_ranking_after_the_last_day_is_refused(alice: User) -> None:
    _, task = ranking_task(alice)

    with pytest.raises(TaskExpired):
        interactions.submit_ranking(task.pk, alice, [task.shown_ids], now=NOW + timedelta(days=2))
