"""Emoji, reports and free labels."""

import uuid
from datetime import timedelta

import pytest

from oasst.accounts.models import User
from tasks_app import interactions, moderation, reactions
from tasks_app.config import overridden
from tasks_app.enums import Emoji, LabelKind, ReportState, TreeState
from tasks_app.errors import MessageNotFound, NotAllowed
from tasks_app.labels import InvalidLabels
from tasks_app.models import Message, Reaction, Report, TextLabels
from tasks_app.reactions import InvalidReaction, InvalidReport, react
from tests import factories
from tests.factories import NOW, grow

pytestmark = pytest.mark.django_db


@pytest.fixture
def message(bob: User) -> Message:
    """A reply of Bob's."""
    return grow("P(A)", author=bob)[1]


# Emoji


def test_toggle_adds_and_removes(alice: User, message: Message) -> None:
    assert react(message.pk, alice, "clap", now=NOW) == {"clap": 1}
    assert Reaction.objects.get().code == "clap"
    assert react(message.pk, alice, "clap", now=NOW) == {}
    assert Reaction.objects.count() == 0


@pytest.mark.parametrize("code", Emoji.values)
def test_every_emoji_is_counted(alice: User, message: Message, code: str) -> None:
    react(message.pk, alice, code, now=NOW)

    message.refresh_from_db()
    assert message.emojis == {code: 1}


def test_add_and_remove_again_change_nothing(alice: User, message: Message) -> None:
    assert react(message.pk, alice, "rofl", now=NOW, op="remove") == {}
    for _ in range(2):
        assert react(message.pk, alice, "rofl", now=NOW, op="add") == {"rofl": 1}
    assert Reaction.objects.count() == 1


def test_thumbs_exclude_each_other(alice: User, message: Message) -> None:
    react(message.pk, alice, "+1", now=NOW)
    react(message.pk, alice, "rofl", now=NOW)

    assert react(message.pk, alice, "-1", now=NOW) == {"rofl": 1, "-1": 1}
    assert react(message.pk, alice, "+1", now=NOW) == {"rofl": 1, "+1": 1}


def test_thumbs_of_others_stay(alice: User, mona: User, message: Message) -> None:
    react(message.pk, mona, "+1", now=NOW)

    assert react(message.pk, alice, "-1", now=NOW) == {"+1": 1, "-1": 1}
    assert react(message.pk, alice, "+1", now=NOW) == {"+1": 2}


@pytest.mark.parametrize(("code", "counted"), [("+1", {}), ("-1", {}), ("clap", {"clap": 1})])
def test_own_message_takes_no_thumbs(
    bob: User, message: Message, code: str, counted: dict[str, int]
) -> None:
    assert react(message.pk, bob, code, now=NOW) == counted


@pytest.mark.parametrize(
    ("code", "op"), [("_skip_reply", "add"), ("heart", "add"), ("", "toggle"), ("+1", "steal")]
)
def test_unknown_emoji_and_operations_are_refused(
    alice: User, message: Message, code: str, op: str
) -> None:
    with pytest.raises(InvalidReaction):
        react(message.pk, alice, code, now=NOW, op=op)


@pytest.mark.parametrize("fields", [{"is_active": False}, {"muted_until": NOW + timedelta(1)}])
def test_banned_and_muted_people_cannot_react(message: Message, fields: dict) -> None:
    with pytest.raises(NotAllowed):
        react(message.pk, factories.person("Trudy", **fields), "+1", now=NOW)


def test_deleted_and_unknown_messages_take_no_reaction(alice: User, message: Message) -> None:
    Message.objects.filter(pk=message.pk).update(deleted=True)

    for pk in (message.pk, uuid.uuid4()):
        with pytest.raises(MessageNotFound):
            react(pk, alice, "+1", now=NOW)


# Red flags


def test_red_flags_of_four_people_delete_a_reply() -> None:
    grown = grow("P(A(P) A)")
    people = factories.crowd(4)

    for user in people[:3]:
        react(grown[1].pk, user, "red_flag", now=NOW)
    assert grown.refresh()[1].deleted is False
    react(grown[1].pk, people[3], "red_flag", now=NOW)

    assert [m.deleted for m in grown.refresh()] == [False, True, True, False]
    assert grown.root.children_count == 1
    assert grown.tree.state == TreeState.GROWING


def test_red_flags_on_a_prompt_end_its_tree() -> None:
    grown = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)

    for user in factories.crowd(4):
        react(grown.root.pk, user, "red_flag", now=NOW)

    assert grown.refresh().tree.state == TreeState.ABORTED_LOW_GRADE
    assert grown.root.deleted is False


@pytest.mark.parametrize("state", [TreeState.RANKING, TreeState.READY_FOR_EXPORT])
def test_red_flags_leave_finished_trees_to_the_moderators(state: TreeState) -> None:
    grown = grow("P(A A)", state=state)

    for user in factories.crowd(4):
        react(grown[1].pk, user, "red_flag", now=NOW)

    assert grown.refresh()[1].deleted is False
    assert grown.tree.state == state


def test_red_flags_do_nothing_by_themselves_when_switched_off() -> None:
    grown = grow("P(A)")

    with overridden(auto_mod_enabled=False):
        for user in factories.crowd(4):
            react(grown[1].pk, user, "red_flag", now=NOW)

    assert grown.refresh()[1].deleted is False


# Reports


def test_report_waits_for_the_moderators_and_sets_a_red_flag(alice: User, message: Message) -> None:
    report = reactions.report(message.pk, alice, "pii", " A phone number. ", now=NOW)

    assert (report.state, report.category, report.text) == (
        ReportState.OPEN,
        "pii",
        "A phone number.",
    )
    message.refresh_from_db()
    assert message.emojis == {"red_flag": 1}
    assert TextLabels.objects.get(user=alice, kind=LabelKind.REPORT).values == {"pii": 1.0}
    assert message.review_count == 3


def test_second_report_replaces_the_words_of_the_first(alice: User, message: Message) -> None:
    reactions.report(message.pk, alice, "pii", "First.", now=NOW)

    reactions.report(message.pk, alice, "spam", "Second.", now=NOW + timedelta(days=1))

    report = Report.objects.get()
    assert (report.category, report.text, report.created_at) == ("spam", "Second.", NOW)
    message.refresh_from_db()
    assert message.emojis == {"red_flag": 1}


def test_report_after_a_decision_opens_a_new_one(alice: User, message: Message) -> None:
    first = reactions.report(message.pk, alice, "pii", "First.", now=NOW)
    Report.objects.filter(pk=first.pk).update(state=ReportState.DISMISSED)

    second = reactions.report(message.pk, alice, "pii", "Again.", now=NOW)

    assert second.pk != first.pk
    assert Report.objects.waiting().get() == second


@pytest.mark.parametrize("category", ["", "boring", "fails_task", "_skip_reply"])
def test_report_needs_a_known_category(alice: User, message: Message, category: str) -> None:
    with pytest.raises(InvalidReport):
        reactions.report(message.pk, alice, category, "Text", now=NOW)

    assert Report.objects.count() == 0
    assert Reaction.objects.count() == 0


def test_reports_of_four_people_delete_a_reply(message: Message) -> None:
    for user in factories.crowd(4):
        reactions.report(message.pk, user, "spam", "", now=NOW)

    message.refresh_from_db()
    assert message.deleted is True
    assert Report.objects.count() == 4


# Free labels


def test_free_labels_are_no_review_and_can_be_changed(alice: User) -> None:
    grown = grow("P(A?)")

    reactions.label_freely(grown[1].pk, alice, {"spam": 1, "humor": 0.25}, now=NOW)
    reactions.label_freely(grown[1].pk, alice, {"humor": 0.5}, now=NOW)

    stored = TextLabels.objects.get(user=alice)
    assert (stored.kind, stored.values) == (LabelKind.FREE, {"humor": 0.5})
    assert grown.refresh()[1].review_count == 0
    assert factories.label(alice, grown[1]).kind == LabelKind.TASK


def test_free_labels_are_those_of_the_message(alice: User) -> None:
    grown = grow("P(A)")

    with pytest.raises(InvalidLabels):
        reactions.label_freely(grown.root.pk, alice, {"fails_task": 1}, now=NOW)
    stored = reactions.label_freely(grown[1].pk, alice, {"fails_task": 1}, now=NOW)

    assert stored.values == {"fails_task": 1.0}


# Skips


def test_many_skips_of_a_message_halt_its_tree() -> None:
    grown = grow("P(A)")

    with overridden(auto_mod_max_skip_reply=3):
        for number, user in enumerate(factories.crowd(3)):
            assert grown.refresh().tree.state == TreeState.GROWING, number
            skip(user, grown.root)

    assert grown.refresh().tree.state == TreeState.HALTED_BY_MODERATOR
    assert grown.root.emojis == {"_skip_reply": 3}


def test_skipped_reviews_do_not_halt_a_tree() -> None:
    grown = grow("P(A?)")

    with overridden(auto_mod_max_skip_reply=2):
        for user in factories.crowd(3):
            skip(user, grown[1], "label_assistant_reply")

    assert grown.refresh().tree.state == TreeState.GROWING


def test_a_restored_message_is_not_deleted_again_by_a_skip(mona: User) -> None:
    grown = grow("P(A)")
    for user in factories.crowd(4):
        react(grown[1].pk, user, "red_flag", now=NOW)
    moderation.restore_message(grown[1].pk, actor=mona, reason="fine", now=NOW)

    skip(factories.alice(), grown[1], "prompter_reply")

    assert grown.refresh()[1].deleted is False


def skip(user: User, message: Message, kind: str = "assistant_reply") -> None:
    task = factories.hand_out(user, kind, message)
    interactions.skip(task.pk, user, now=NOW)
