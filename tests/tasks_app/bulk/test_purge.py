"""A person's whole effect can be taken out, and brought back as if nothing had happened."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from oasst.accounts.models import User
from tasks_app import checks, moderation, taking_back
from tasks_app.bulk import actions, plans
from tasks_app.enums import BulkState, ReportState, TreeState
from tasks_app.models import (
    BulkAction,
    BulkStep,
    Message,
    ModerationAction,
    Ranking,
    Reaction,
    Report,
    TextLabels,
)
from tests.factories import GOOD, NOW, Grown, crowd, label, person
from tests.tasks_app.bulk.given import active_person, differing, dump

pytestmark = pytest.mark.slow

LATER = NOW + timedelta(hours=2)
WHY = {"reason": "A troll.", "now": LATER}


@pytest.fixture
def troll(db: None) -> User:
    return person("Troll")


@pytest.fixture
def trees(troll: User) -> list[Grown]:
    return active_person(troll)


def purge(troll: User, mona: User | None) -> BulkAction:
    return actions.do_now(plans.of_person(troll), actor=mona, **WHY)


def test_purge_leaves_nothing_of_a_person(troll: User, mona: User, trees: list[Grown]) -> None:
    purge(troll, mona)

    assert not Message.objects.filter(user=troll, deleted=False).exists()
    for model in (TextLabels, Ranking, Reaction):
        assert not model.objects.filter(user=troll).exists(), model
    assert Report.objects.get().state == ReportState.DISMISSED
    assert list(checks.broken_invariants()) == []


def test_ban_and_purge_undone_leave_the_database_as_it_was(
    troll: User, mona: User, trees: list[Grown]
) -> None:
    before = dump()

    moderation.ban_user(troll.pk, actor=mona, **WHY)
    bulk = purge(troll, mona)
    assert dump() != before
    actions.undo_now(bulk.pk, actor=mona, reason="It was a child.", now=LATER)
    ban = ModerationAction.objects.get(action="ban_user")
    taking_back.take_back(ban.pk, actor=mona, reason="It was a child.", now=LATER)

    assert list(differing(before, dump())) == []
    assert list(checks.broken_invariants()) == []
    assert User.objects.get(pk=troll.pk).is_active
    logged = set(ModerationAction.objects.values_list("action", flat=True))
    assert {"ban_user", "purge_user", "delete_message", "undo"} <= logged


def test_ranks_verdicts_and_counters_follow_a_purge(
    troll: User, mona: User, trees: list[Grown]
) -> None:
    purge(troll, mona)

    growing, ranked, rejected = (grown.refresh() for grown in (trees[1], trees[4], trees[5]))
    assert growing[1].deleted
    assert growing[2].emojis == {"+1": 1}
    assert [ranked[place].rank for place in (1, 2, 3)] in ([0, 1, 2], [1, 0, 2])
    assert [ranked[place].ranking_count for place in (1, 2, 3)] == [2, 2, 2]
    assert (rejected[1].review_count, rejected[1].review_result) == (2, None)
    assert trees[0].refresh().tree.state == TreeState.HALTED_BY_MODERATOR


def test_what_others_did_meanwhile_stays(troll: User, mona: User, trees: list[Grown]) -> None:
    bulk = purge(troll, mona)
    judge = crowd(1, prefix="Newcomer")[0]
    label(judge, trees[5][1], GOOD, now=LATER)

    actions.undo_now(bulk.pk, actor=mona, reason="A mistake.", now=LATER)

    message = trees[5].refresh()[1]
    assert message.review_count == 4
    assert message.label_sets.filter(user=judge).exists()
    assert list(checks.broken_invariants()) == []


def test_a_plan_counts_and_changes_nothing(troll: User, trees: list[Grown]) -> None:
    before = dump()

    plan = plans.of_person(troll)

    # Of the six trees one lost everything; a reply that others answered goes with its answers.
    assert (plan.messages, plan.trees, plan.votes) == (8, 6, 8)
    assert dump() == before


def test_purge_is_carried_on_where_a_job_ended(troll: User, mona: User, trees: list[Grown]) -> None:
    bulk = actions.begin(plans.of_person(troll), actor=mona, **WHY)
    total = actions.progress(bulk)[1]

    assert not actions.carry_on(bulk.pk, now=LATER, limit=2)
    assert actions.progress(bulk) == (2, total)
    with pytest.raises(actions.CannotUndo):
        actions.undo(bulk.pk, actor=mona, **WHY)
    assert actions.unfinished() == [bulk.pk]

    assert actions.carry_on(bulk.pk, now=LATER)
    assert actions.carry_on(bulk.pk, now=LATER)
    bulk.refresh_from_db()
    assert (bulk.state, actions.progress(bulk)) == (BulkState.DONE, (total, total))


def test_undo_is_for_thirty_days_and_for_once(troll: User, mona: User, trees: list[Grown]) -> None:
    bulk = purge(troll, mona)
    late = LATER + timedelta(days=30)

    with pytest.raises(actions.CannotUndo):
        actions.undo(bulk.pk, actor=mona, reason="Hm.", now=late)
    assert actions.forget_old(now=late) == BulkStep.objects.count()
    assert set(BulkStep.objects.values_list("before__state", flat=True)) == {None}


def test_undoing_twice_is_refused(troll: User, mona: User, trees: list[Grown]) -> None:
    bulk = purge(troll, mona)
    actions.undo_now(bulk.pk, actor=mona, reason="Hm.", now=LATER)

    with pytest.raises(actions.CannotUndo):
        actions.undo(bulk.pk, actor=mona, reason="Hm.", now=LATER)


def test_staff_is_not_purged_by_a_moderator(mona: User, root: User) -> None:
    with pytest.raises(moderation.NotYours):
        actions.begin(plans.of_person(root), actor=mona, **WHY)
    assert not BulkAction.objects.exists()


def test_command_counts_first_and_takes_a_reason(troll: User, trees: list[Grown]) -> None:
    before, said = dump(), StringIO()

    call_command("purge_user", troll.email, "--dry-run", stdout=said)
    assert "Would change 8 messages of" in said.getvalue()
    with pytest.raises(CommandError, match="reason"):
        call_command("purge_user", troll.email, "--reason", " ")
    assert dump() == before

    call_command("purge_user", troll.email, "--reason", "A troll.", stdout=said)
    call_command("purge_user", troll.email, "--reason", "A troll.", stdout=said)
    assert not Message.objects.filter(user=troll, deleted=False).exists()


def test_command_says_that_it_knows_nobody(db: None) -> None:
    with pytest.raises(CommandError, match="Nobody signs in"):
        call_command("purge_user", "nobody@example.org", "--dry-run")
