"""Undoing single actions from the log: the state before comes back, and both entries stay."""

from datetime import datetime, timedelta

import pytest

from oasst.accounts.models import User
from oasst.accounts.roles import MODERATORS
from tasks_app import checks, gold_items, holding, moderation, standing, taking_back
from tasks_app.config import TreeConfig
from tasks_app.enums import TreeState
from tasks_app.models import GoldItem, Message, ModerationAction
from tests.factories import NOW, Grown, grow

LATER = NOW + timedelta(hours=1)
WHY = {"reason": "Rude.", "now": NOW}


def take_back(mona: User, now: datetime = LATER) -> ModerationAction:
    entry = ModerationAction.objects.latest("id")
    return taking_back.take_back(entry.pk, actor=mona, reason="Too harsh.", now=now)


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def test_mute_taken_back_leaves_the_earlier_one(alice: User, mona: User) -> None:
    first = NOW + timedelta(days=1)
    moderation.mute_user(alice.pk, until=first, actor=mona, **WHY)
    moderation.mute_user(alice.pk, until=NOW + timedelta(days=30), actor=mona, **WHY)

    added = take_back(mona)

    assert fresh(alice).muted_until == first
    assert added.undoes == ModerationAction.objects.filter(action="mute_user").latest("id")
    assert ModerationAction.objects.count() == 3


def test_hold_and_its_end_are_taken_back(alice: User, mona: User) -> None:
    holding.hold_user(alice.pk, actor=mona, **WHY)
    since = fresh(alice).held_since
    take_back(mona)
    assert fresh(alice).held_since is None

    holding.hold_user(alice.pk, actor=mona, **WHY)
    holding.unhold_user(alice.pk, actor=mona, **WHY)
    take_back(mona)
    assert fresh(alice).held_since == since


def test_ban_taken_back_puts_prompts_into_the_lottery_again(alice: User, mona: User) -> None:
    tree = grow("P", state=TreeState.PROMPT_LOTTERY_WAITING, author=alice).tree
    moderation.ban_user(alice.pk, actor=mona, reason="Rude.", now=LATER)
    tree.refresh_from_db()
    assert tree.state == TreeState.HALTED_BY_MODERATOR

    take_back(mona)

    tree.refresh_from_db()
    assert (tree.state, tree.state_since) == (TreeState.PROMPT_LOTTERY_WAITING, NOW)
    assert fresh(alice).is_active
    assert list(checks.broken_invariants()) == []


def test_end_of_a_ban_taken_back_bans_again(trudy: User, mona: User) -> None:
    moderation.unban_user(trudy.pk, actor=mona, **WHY)

    take_back(mona)

    assert not fresh(trudy).is_active


@pytest.mark.parametrize("state", [TreeState.RANKING, TreeState.READY_FOR_EXPORT])
def test_halt_taken_back_leads_to_the_state_before(mona: User, state: TreeState) -> None:
    tree = grow("P(A A)", state=state).tree
    moderation.halt_tree(tree.pk, actor=mona, **WHY)

    take_back(mona)

    tree.refresh_from_db()
    assert (tree.state, tree.state_since) == (state, NOW)
    assert list(checks.broken_invariants()) == []


def visible(grown: Grown) -> list[bool]:
    deleted = {str(pk): gone for pk, gone in Message.objects.values_list("pk", "deleted")}
    return [not deleted[str(message.pk)] for message in grown.messages]


def test_deletion_taken_back_shows_what_it_hid_and_no_more(mona: User) -> None:
    grown = grow("P(A(P) A)")
    moderation.delete_message(grown[2].pk, actor=mona, **WHY)
    moderation.delete_message(grown[1].pk, actor=mona, **WHY)
    assert visible(grown) == [True, False, False, True]

    added = take_back(mona)

    assert visible(grown) == [True, True, False, True]
    assert (added.action, added.data["messages"]) == ("restore_message", 1)
    take_back(mona)  # and the other way round
    assert visible(grown) == [True, False, False, True]
    assert list(checks.broken_invariants()) == []


def test_held_message_whose_deletion_is_taken_back_is_held(alice: User, mona: User) -> None:
    grown = grow("P(A?)")
    Message.objects.filter(pk=grown[1].pk).update(held=True, user=alice, review_count=0)
    moderation.delete_message(grown[1].pk, actor=mona, **WHY)

    take_back(mona)

    found = Message.objects.get(pk=grown[1].pk)
    assert (found.deleted, found.held) == (False, True)


def test_restoration_is_taken_back_until_somebody_has_replied(mona: User) -> None:
    grown = grow("P(A(P))")
    moderation.delete_message(grown[1].pk, actor=mona, **WHY)
    moderation.restore_message(grown[1].pk, actor=mona, **WHY)
    restored = ModerationAction.objects.latest("id")
    Message.objects.filter(pk=grown[2].pk).update(deleted=False)  # as if written since

    with pytest.raises(taking_back.CannotTakeBack):
        taking_back.take_back(restored.pk, actor=mona, reason="Hm.", now=LATER)
    Message.objects.filter(pk=grown[2].pk).update(deleted=True)
    taking_back.take_back(restored.pk, actor=mona, reason="Hm.", now=LATER)

    assert visible(grown) == [True, False, False]


def test_deletion_below_what_is_hidden_by_now_stays(mona: User) -> None:
    grown = grow("P(A(P))")
    moderation.delete_message(grown[2].pk, actor=mona, **WHY)
    first = ModerationAction.objects.latest("id")
    moderation.delete_message(grown[1].pk, actor=mona, **WHY)

    with pytest.raises(taking_back.CannotTakeBack):
        taking_back.take_back(first.pk, actor=mona, reason="Hm.", now=LATER)


def test_edit_taken_back_gives_the_text_before_and_keeps_both(mona: User) -> None:
    message = grow("P").root
    before = message.text
    moderation.edit_message(message.pk, "Shorter.", actor=mona, **WHY)

    added = take_back(mona)

    message.refresh_from_db()
    assert (message.text, added.action) == (before, "edit_message")
    texts = message.revisions.order_by("pk").values_list("text", flat=True)
    assert list(texts) == [before, "Shorter.", before]


def test_nothing_is_taken_back_twice_late_or_over_a_later_action(alice: User, mona: User) -> None:
    moderation.ban_user(alice.pk, actor=mona, **WHY)
    ban = ModerationAction.objects.get()
    moderation.unban_user(alice.pk, actor=mona, **WHY)
    again = {"actor": mona, "reason": "Hm.", "now": LATER}

    with pytest.raises(taking_back.CannotTakeBack):
        taking_back.take_back(ban.pk, **again)
    with pytest.raises(taking_back.CannotTakeBack):
        take_back(mona, now=NOW + timedelta(days=30))
    take_back(mona)
    with pytest.raises(taking_back.CannotTakeBack):
        taking_back.take_back(ban.pk + 1, **again)
    assert not fresh(alice).is_active


def test_renames_have_no_way_back_because_the_log_holds_no_names(alice: User, mona: User) -> None:
    standing.rename(alice.pk, "Alicia", actor=mona, **WHY)

    with pytest.raises(taking_back.CannotTakeBack):
        take_back(mona)


def test_change_of_a_setting_stands_in_the_log(root: User) -> None:
    standing.change_setting("goal_tree_size", 9, actor=root, **WHY)

    entry = ModerationAction.objects.get()
    assert (entry.action, entry.reason, entry.actor) == ("change_setting", "Rude.", root)
    assert entry.data["setting"].endswith("→ 9")
    assert TreeConfig.current().goal_tree_size == 9


def test_role_taken_back_is_the_one_before(alice: User, mona: User, root: User) -> None:
    standing.set_role(alice.pk, MODERATORS, actor=root, **WHY)
    take_back(root)
    assert (fresh(alice).is_staff, fresh(alice).groups.count()) == (False, 0)

    standing.set_role(alice.pk, MODERATORS, actor=root, **WHY)
    standing.set_role(alice.pk, "", actor=root, **WHY)
    with pytest.raises(standing.RoleNotYours):
        take_back(mona)
    take_back(root)
    assert fresh(alice).is_moderator


def test_gold_item_is_taken_back_and_so_is_its_end(mona: User) -> None:
    message = grow("P").root
    make = {"explanation": "A fine question.", "actor": mona, "now": NOW}
    gold_items.make(message.pk, {"spam": 0.0}, **make)

    take_back(mona)
    assert not GoldItem.objects.get().active
    assert not ModerationAction.objects.filter(action="retire_gold").exists()

    gold_items.make(message.pk, {"spam": 0.0}, **make)
    made = ModerationAction.objects.latest("id")
    gold_items.retire(message.pk, actor=mona, **WHY)
    with pytest.raises(taking_back.CannotTakeBack):
        taking_back.take_back(made.pk, actor=mona, reason="Hm.", now=LATER)
    take_back(mona)
    assert GoldItem.objects.get().active


def test_retired_gold_item_stays_retired_when_its_message_is_gone(mona: User) -> None:
    grown = grow("P(A)")
    make = {"explanation": "On topic.", "actor": mona, "now": NOW}
    gold_items.make(grown[1].pk, {"spam": 0.0}, **make)
    gold_items.retire(grown[1].pk, actor=mona, **WHY)
    retired = ModerationAction.objects.latest("id")
    moderation.delete_message(grown[1].pk, actor=mona, **WHY)

    with pytest.raises(taking_back.CannotTakeBack):
        taking_back.take_back(retired.pk, actor=mona, reason="Hm.", now=LATER)
