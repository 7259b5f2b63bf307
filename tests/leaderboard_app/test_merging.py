"""Two accounts of one person become one, in every app; see tasks_app/merging.py."""

import pytest
from allauth.account.models import EmailAddress
from django.db import OperationalError, connection, transaction

from chat_app.models import CustomInstructions
from leaderboard_app import ledger
from leaderboard_app.models import PointEntry, UserStats
from oasst import privacy
from oasst.accounts import people, tokens
from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from tasks_app import holding, merging, moderation, reactions
from tasks_app.models import Message, ModerationAction, TextLabels
from tests import factories
from tests.elsewhere import connected
from tests.factories import GOOD, NOW, crowd, grow, person
from tests.leaderboard_app import given
from tests.sessions import signed_in
from tests.tasks_app import oracle

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

WHY = {"reason": "They wrote to us from both addresses.", "now": NOW}


@pytest.fixture
def twin() -> User:
    return person("Twin")


@pytest.fixture
def busy(alice: User, twin: User, bob: User) -> Message:
    """Both judged Bob's answer, each the other's, the twin another; returns the twin's own."""
    theirs = given.reply(bob, grow("P").root)
    mine = given.reply(alice, grow("P").root)
    twins = given.reply(twin, grow("P").root)
    for message, judges in ((theirs, (alice, twin)), (mine, (twin,)), (twins, (alice,))):
        for judge in (*judges, *crowd(3 - len(judges), prefix="Judge")):
            given.review(judge, message, GOOD)
        for judge in (alice, twin):
            reactions.react(message.pk, judge, "+1", now=NOW)
    given.review(twin, given.reply(bob, grow("P").root), GOOD)
    ledger.catch_up(now=NOW)
    return twins


def score(user: User) -> float:
    return float(PointEntry.objects.filter(user=user).score())


def test_votes_that_one_person_may_not_give_stay_behind_without_points(
    busy: Message, alice: User, twin: User, root: User
) -> None:
    both, reviews = (
        score(alice) + score(twin),
        PointEntry.objects.filter(contribution__kind="labels"),
    )
    one_review = float(reviews.filter(user=alice).score()) / 2
    plan = merging.plan(twin, alice)

    assert merging.merge(twin.pk, alice.pk, actor=root, **WHY) == plan
    ledger.catch_up(now=NOW)

    assert (plan.messages, plan.votes, plan.staying) == (1, 1, 3)
    assert score(alice) == both - 3 * one_review > 0
    assert score(twin) == 0
    assert UserStats.objects.filter(user=twin).count() == 0
    assert Message.objects.get(pk=busy.pk).user_id == alice.pk
    assert TextLabels.objects.filter(user=twin).count() == 3
    assert list(ledger.disagreements()) == []
    assert oracle.problems() == []


def test_ways_in_devices_tokens_and_settings_move(
    busy: Message, alice: User, twin: User, root: User
) -> None:
    browser, email = signed_in(twin), twin.email
    tokens.create(twin, "script", [Scope.COMPLETIONS], now=NOW)
    for user in (alice, twin):
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        CustomInstructions.objects.create(user=user, about_me=f"I am {user}")
    User.objects.filter(pk=twin.pk).update(muted_until=NOW, notes="rude once")

    merging.merge(twin.pk, alice.pk, actor=root, **WHY)
    privacy.forget_merged(str(twin.pk))

    alice.refresh_from_db()
    assert browser.get("/account/").context["user"] == alice
    assert [people.find(each) for each in (email, alice.email)] == [alice, alice]
    assert [token.name for token in alice.api_tokens.all()] == ["script"]
    assert (alice.muted_until, alice.notes) == (NOW, "rude once")
    assert CustomInstructions.objects.get().about_me == "I am Alice"
    twin.refresh_from_db()
    assert (twin.is_active, twin.email) == (False, f"{twin.pk}@deleted.invalid")
    entry = ModerationAction.objects.get(action="merge_people")
    assert (entry.actor, entry.user_id, entry.reason) == (root, alice.pk, WHY["reason"])
    assert entry.data["from"] == str(twin.pk)


def test_who_is_held_back_with_one_account_is_held_back_with_all_votes(
    busy: Message, alice: User, twin: User, root: User
) -> None:
    holding.hold_user(twin.pk, actor=root, **WHY)

    merging.merge(twin.pk, alice.pk, actor=root, **WHY)

    assert set(TextLabels.objects.filter(user=alice).values_list("held", flat=True)) == {True}
    assert oracle.problems() == []


@transaction.atomic
def merge_impatiently(source: User, into: User, actor: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '100ms'")
    merging.merge(source.pk, into.pk, actor=actor, **WHY)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("held_up", ["tree", "person"])
def test_merging_waits_for_what_is_under_way(
    busy: Message, alice: User, twin: User, root: User, held_up: str
) -> None:
    with connected() as elsewhere:
        if held_up == "tree":
            query = "SELECT id FROM tasks_app_messagetree WHERE id = %s FOR NO KEY UPDATE"
            elsewhere.execute(query, [busy.tree_id])
        else:  # a submit or a hand-out, as `turns.lock_user` has it
            elsewhere.execute("SELECT pg_advisory_xact_lock(%s)", [alice.pk.int >> 65])
        with pytest.raises(OperationalError, match="lock timeout"):
            merge_impatiently(twin, alice, root)
        elsewhere.rollback()

    merging.merge(twin.pk, alice.pk, actor=root, **WHY)
    assert Message.objects.get(pk=busy.pk).user_id == alice.pk


def test_who_may_be_merged_and_by_whom(alice: User, twin: User, mona: User, root: User) -> None:
    with pytest.raises(moderation.NotYours):
        merging.merge(twin.pk, alice.pk, actor=mona, **WHY)
    for source, into in ((alice, alice), (mona, alice), (alice, mona), (factories.trudy(), alice)):
        with pytest.raises(merging.CannotMerge):
            merging.merge(source.pk, into.pk, actor=root, **WHY)


def test_desk_shows_what_would_move_before_it_does(
    busy: Message, alice: User, twin: User, root: User
) -> None:
    client, path = signed_in(root), f"/admin/accounts/user/{twin.pk}/act/merge/"
    filled = {"into": alice.email, "reason": "The same person."}

    preview = client.post(path, filled | {"preview": "on"}).content.decode()

    assert "1 messages, 1 votes" in preview
    assert "3 votes on what both judged" in preview
    assert User.objects.get(pk=twin.pk).is_active
    assert client.post(path, filled).status_code == 302
    assert not User.objects.get(pk=twin.pk).is_active
