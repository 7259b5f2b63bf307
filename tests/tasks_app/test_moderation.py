"""What moderators do to trees, messages and people. Reports stand in test_reports.py."""

import uuid
from datetime import timedelta

import pytest

from oasst.accounts.models import User
from tasks_app import interactions, lottery, moderation
from tasks_app.enums import TaskType, TreeState
from tasks_app.errors import MessageNotFound, ReasonMissing, TextEmpty
from tasks_app.models import MessageTree, ModerationAction, Offer, Task, TreeTransition
from tasks_app.trees import IllegalTransition
from tests import factories
from tests.factories import CHANCE, GOOD, NOW, SPAM, grow, hand_out

pytestmark = pytest.mark.django_db

S = TreeState
WHY = {"reason": "because", "now": NOW}
REOPENABLE = sorted(set(S) - {S.PROMPT_LOTTERY_WAITING, S.GROWING})


# Trees


@pytest.mark.parametrize("state", sorted(set(S) - {S.HALTED_BY_MODERATOR}))
def test_t13_halt_stops_a_tree_in_any_state(mona: User, state: TreeState) -> None:
    grown = grow("P(A A?)", state=state)

    moderation.halt_tree(grown.tree.pk, actor=mona, **WHY)

    assert grown.refresh().tree.state == S.HALTED_BY_MODERATOR
    assert Offer.objects.count() == 0
    last = TreeTransition.objects.last()
    assert (last.from_state, last.reason, last.actor) == (state, "because", mona)
    assert ModerationAction.objects.get().tree_id == grown.tree.pk


def test_halt_twice_is_logged_once(mona: User) -> None:
    grown = grow("P")

    for _ in range(2):
        moderation.halt_tree(grown.tree.pk, actor=mona, **WHY)

    assert ModerationAction.objects.count() == 1


@pytest.mark.parametrize("state", REOPENABLE)
def test_t14_unhalt_lets_a_drawn_tree_grow(mona: User, state: TreeState) -> None:
    grown = grow("P(A)", state=state)

    moderation.unhalt_tree(grown.tree.pk, actor=mona, **WHY)

    assert grown.refresh().tree.state == S.GROWING
    assert Offer.objects.filter(message=grown.root, kind="assistant_reply").exists()


def test_t14_unhalt_lets_a_prompt_be_reviewed(mona: User) -> None:
    grown = grow("P?1", state=S.HALTED_BY_MODERATOR, won_prompt_lottery_at=None)

    moderation.unhalt_tree(grown.tree.pk, actor=mona, **WHY)

    assert grown.refresh().tree.state == S.INITIAL_PROMPT_REVIEW
    assert Offer.objects.get().slots == 2


def test_t14_unhalt_checks_t3_at_once(mona: User) -> None:
    grown = grow("P", state=S.HALTED_BY_MODERATOR, won_prompt_lottery_at=None)

    moderation.unhalt_tree(grown.tree.pk, actor=mona, **WHY)

    assert grown.refresh().tree.state == S.PROMPT_LOTTERY_WAITING


@pytest.mark.parametrize(("rankings", "state"), [(0, S.RANKING), (3, S.READY_FOR_EXPORT)])
def test_t14_unhalt_checks_t5_and_t7_at_once(mona: User, rankings: int, state: S) -> None:
    grown = grow("P(A A)", state=S.RANKING, goal_tree_size=3)
    moderation.halt_tree(grown.tree.pk, actor=mona, **WHY)
    for ranker in factories.crowd(rankings):
        grown.root.rankings.create(
            user=ranker, groups=[[str(grown[1].pk)], [str(grown[2].pk)]], created_at=NOW
        )

    moderation.unhalt_tree(grown.tree.pk, actor=mona, **WHY)

    assert grown.refresh().tree.state == state


@pytest.mark.parametrize("state", [S.PROMPT_LOTTERY_WAITING, S.GROWING])
def test_unhalt_of_a_tree_that_waits_or_grows_is_refused(mona: User, state: S) -> None:
    grown = grow("P", state=state)

    with pytest.raises(IllegalTransition):
        moderation.unhalt_tree(grown.tree.pk, actor=mona, **WHY)

    assert ModerationAction.objects.count() == 0


@pytest.mark.parametrize("drawing", ["P-", "Px", "P-(A)", "Px(A)"])
def test_unhalt_without_a_valid_prompt_is_refused(mona: User, drawing: str) -> None:
    grown = grow(drawing, state=S.HALTED_BY_MODERATOR, won_prompt_lottery_at=None)

    with pytest.raises(moderation.CannotReopen):
        moderation.unhalt_tree(grown.tree.pk, actor=mona, **WHY)

    assert grown.refresh().tree.state == S.HALTED_BY_MODERATOR


def test_unknown_trees_and_messages_are_named_so(mona: User) -> None:
    for act in (moderation.halt_tree, moderation.unhalt_tree, moderation.retry_scoring):
        with pytest.raises(moderation.TreeNotFound):
            act(uuid.uuid4(), actor=mona, **WHY)
    for act in (moderation.delete_message, moderation.restore_message):
        with pytest.raises(MessageNotFound):
            act(uuid.uuid4(), actor=mona, **WHY)


def test_every_action_needs_a_reason(mona: User, bob: User) -> None:
    grown = grow("P(A)")
    why = {"actor": mona, "reason": " \n", "now": NOW}

    for act, pk in [
        (moderation.halt_tree, grown.tree.pk),
        (moderation.unhalt_tree, grown.tree.pk),
        (moderation.retry_scoring, grown.tree.pk),
        (moderation.delete_message, grown.root.pk),
        (moderation.restore_message, grown.root.pk),
        (moderation.ban_user, bob.pk),
        (moderation.unban_user, bob.pk),
    ]:
        with pytest.raises(ReasonMissing):
            act(pk, **why)

    assert ModerationAction.objects.count() == 0
    assert grown.refresh().tree.state == S.GROWING


# Messages


def test_delete_hides_everything_below_and_gives_places_back(mona: User) -> None:
    grown = grow("P(A(P(A)) A)", goal_tree_size=9)
    before = grown.tree.open_places

    count = moderation.delete_message(grown[1].pk, actor=mona, **WHY)

    assert count == 3
    assert [m.deleted for m in grown.refresh()] == [False, True, True, True, False]
    assert grown.root.children_count == 1
    assert grown.tree.open_places == before + 3
    assert set(Offer.objects.values_list("message", flat=True)) == {grown.root.pk, grown[4].pk}


def test_delete_frees_the_reservations_below(mona: User, alice: User) -> None:
    grown = grow("P(A(P))")
    task = hand_out(alice, TaskType.ASSISTANT_REPLY, grown[2])

    moderation.delete_message(grown[1].pk, actor=mona, **WHY)

    assert Task.objects.get(pk=task.pk).holds_slot is False


def test_restore_brings_back_the_ancestors_but_not_the_replies(mona: User) -> None:
    grown = grow("P(A(P(A)))")
    moderation.delete_message(grown[1].pk, actor=mona, **WHY)

    count = moderation.restore_message(grown[2].pk, actor=mona, **WHY)

    assert count == 2
    assert [m.deleted for m in grown.refresh()] == [False, False, False, True]
    assert [m.children_count for m in grown] == [1, 1, 0, 0]


def test_restored_reply_may_exceed_the_limit_but_invites_no_more(mona: User) -> None:
    grown = grow("P(A Ax)", max_children_count=1)

    moderation.restore_message(grown[2].pk, actor=mona, **WHY)

    assert grown.refresh().root.children_count == 2
    assert not Offer.objects.filter(message=grown.root).exists()


def test_deleting_a_ranked_reply_moves_the_others_up(mona: User) -> None:
    grown = grow("P(A A A)", state=S.RANKING)
    for ranker in factories.crowd(3):
        factories.rank(ranker, grown.root, grown[1:])
    assert [m.rank for m in grown.refresh()] == [None, 0, 1, 2]

    moderation.delete_message(grown[1].pk, actor=mona, **WHY)
    assert [m.rank for m in grown.refresh()] == [None, None, 0, 1]
    moderation.restore_message(grown[1].pk, actor=mona, **WHY)

    assert [m.rank for m in grown.refresh()] == [None, 0, 1, 2]
    assert grown.tree.state == S.READY_FOR_EXPORT


def test_edit_keeps_every_text_the_message_had(mona: User, alice: User) -> None:
    grown = grow("P(A)", author=alice)
    message, original = grown[1], grown[1].text

    for text in ("Second.", " Third. "):
        moderation.edit_message(message.pk, text, actor=mona, **WHY)

    message.refresh_from_db()
    assert (message.text, message.edited) == ("Third.", True)
    revisions = list(message.revisions.values_list("text", "user"))
    assert revisions == [(original, alice.pk), ("Second.", mona.pk), ("Third.", mona.pk)]


def test_edit_changes_neither_reviews_nor_the_tree(mona: User) -> None:
    grown = grow("P(A?2)")
    before = list(Offer.objects.order_by("pk").values())

    moderation.edit_message(grown[1].pk, "Better.", actor=mona, **WHY)

    assert grown.refresh()[1].review_count == 2
    assert list(Offer.objects.order_by("pk").values()) == before


def test_edit_refuses_an_empty_text(mona: User) -> None:
    grown = grow("P")

    with pytest.raises(TextEmpty):
        moderation.edit_message(grown.root.pk, "  ", actor=mona, **WHY)

    assert grown.refresh().root.edited is False


# People


def test_ban_frees_reservations_and_halts_waiting_prompts(mona: User, bob: User) -> None:
    grow("P(A?)")
    hand_out(bob, TaskType.LABEL_ASSISTANT_REPLY)
    waiting = grow("P", state=S.PROMPT_LOTTERY_WAITING, author=bob)
    growing = grow("P", author=bob)

    moderation.ban_user(bob.pk, actor=mona, **WHY)

    bob.refresh_from_db()
    assert (bob.is_active, Task.objects.get().holds_slot) == (False, False)
    assert Offer.objects.get(kind=TaskType.LABEL_ASSISTANT_REPLY).slots == 3
    assert waiting.refresh().tree.state == S.HALTED_BY_MODERATOR
    assert growing.refresh().tree.state == S.GROWING


def test_unban_lets_a_person_in_again(mona: User) -> None:
    trudy = factories.trudy()

    moderation.unban_user(trudy.pk, actor=mona, **WHY)

    trudy.refresh_from_db()
    assert trudy.is_active is True


def test_unban_does_not_bring_back_a_deleted_account(mona: User) -> None:
    gone = factories.person("Gone", is_active=False, deleted_at=NOW)

    moderation.unban_user(gone.pk, actor=mona, **WHY)

    gone.refresh_from_db()
    assert gone.is_active is False
    assert ModerationAction.objects.count() == 0


def test_mute_holds_until_its_end(mona: User, bob: User) -> None:
    until = NOW + timedelta(days=1)

    moderation.mute_user(bob.pk, until=until, actor=mona, **WHY)

    bob.refresh_from_db()
    assert [bob.may_contribute(at) for at in (NOW, until)] == [False, True]


def test_moderators_cannot_ban_each_other(mona: User) -> None:
    other = factories.person("Max", role="moderators")

    with pytest.raises(moderation.NotYours):
        moderation.ban_user(other.pk, actor=mona, **WHY)

    other.refresh_from_db()
    assert other.is_active is True


@pytest.mark.parametrize("fields", [{"is_active": False}, {"is_active": False, "deleted_at": NOW}])
def test_t15_prompts_of_people_who_are_gone_leave_the_lottery(fields: dict) -> None:
    gone = grow("P", state=S.PROMPT_LOTTERY_WAITING, author=factories.person("Gone", **fields))
    kept = grow("P", state=S.PROMPT_LOTTERY_WAITING, author=factories.alice())

    assert moderation.halt_prompts_of_disabled_users(now=NOW) == 1

    assert gone.refresh().tree.state == S.HALTED_BY_MODERATOR
    assert kept.refresh().tree.state == S.PROMPT_LOTTERY_WAITING


# A tree's whole life

WITH_DETOURS = [
    S.INITIAL_PROMPT_REVIEW,
    S.HALTED_BY_MODERATOR,
    S.INITIAL_PROMPT_REVIEW,
    S.PROMPT_LOTTERY_WAITING,
    S.GROWING,
    S.RANKING,
    S.READY_FOR_SCORING,
    S.READY_FOR_EXPORT,
]


def test_a_tree_lives_from_prompt_to_export_with_detours(mona: User, alice: User) -> None:
    prompt = factories.write_prompt(alice)
    tree = MessageTree.objects.get()
    MessageTree.objects.update(goal_tree_size=3)
    moderation.halt_tree(tree.pk, actor=mona, **WHY)
    moderation.unhalt_tree(tree.pk, actor=mona, **WHY)
    factories.review(prompt, GOOD, GOOD, SPAM)
    lottery.run_lottery("en", now=NOW, rng=CHANCE)
    replies = [factories.reply(user, prompt) for user in factories.crowd(2)]
    for reply in replies:
        factories.review(reply, GOOD, GOOD, GOOD)
    for ranker in factories.crowd(3, prefix="Ranker"):
        factories.rank(ranker, prompt, replies)

    tree.refresh_from_db()
    assert tree.state == S.READY_FOR_EXPORT
    assert list(TreeTransition.objects.values_list("to_state", flat=True)) == WITH_DETOURS
    assert interactions.release_expired(now=NOW + timedelta(days=1)) == 0
