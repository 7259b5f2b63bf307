"""A merge of two accounts is undone, in every app; see tasks_app/unmerging.py."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.apps import apps
from django.db import connection
from django.utils import timezone

from chat_app import jobs
from chat_app.models import CustomInstructions, Preset
from leaderboard_app import ledger
from leaderboard_app.models import PointEntry, Prize, PrizeWinner
from oasst import privacy
from oasst.accounts import people, tokens
from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from tasks_app import (
    following,
    holding,
    interactions,
    merging,
    moderation,
    questions,
    reactions,
    unmerging,
)
from tasks_app import privacy as tasks
from tasks_app.first_steps_records import FirstSteps
from tasks_app.merge_records import Merge, MergedRows
from tasks_app.models import Draft, Message, ModerationAction, Task
from tasks_app.notice_records import Notification, NotificationSettings
from tests.chat_app import given as chats
from tests.elsewhere import connected
from tests.factories import GOOD, NOW, SPAM, crowd, grow, hand_out, person
from tests.leaderboard_app import given
from tests.sessions import signed_in
from tests.tasks_app import oracle

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

WHY = {"reason": "They wrote to us from both addresses.", "now": NOW}
BACK = {"reason": "They are two people after all.", "now": NOW}

# Tables that are not as before, and why.
OTHERWISE = {
    "tasks_app.ModerationAction": "the log tells of both",
    "leaderboard_app.Cursor": "how far the log was read",
    "leaderboard_app.PointEntry": "booked anew, as `ledger.disagreements` proves",
    "leaderboard_app.UserStats": "counted anew, likewise",
    "leaderboard_app.Streak": "counted anew, likewise",
    "tasks_app.AgreementMark": "what is to be counted anew",
    "tasks_app.Recount": "what is to be counted anew",
    "tasks_app.CrowdMean": "counted anew when a hold begins or ends",
    "accounts.OpenSession": "both are signed out",
}
# Columns that are not: it goes up, for both are signed out; a number drawn at random.
COLUMNS = {"session_epoch", "shuffle"}


def everything() -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables by name, without what is excused."""
    jobs.fill_search_words()  # chats that changed hands wait to be looked at again
    models = [each for each in apps.get_models(include_auto_created=True) if each._meta.managed]
    return {
        model._meta.label: [
            {name: value for name, value in row.items() if name not in COLUMNS}
            for row in model._base_manager.order_by("pk").values()
        ]
        for model in models
        if model._meta.label not in OTHERWISE
    }


def points() -> list[Any]:
    columns = ("contribution", "user", "reason", "points", "state", "why", "at", "held")
    return list(PointEntry.objects.order_by(*columns).values_list(*columns))


@pytest.fixture
def twin() -> User:
    return person("Twin")


@pytest.fixture
def rich(alice: User, twin: User, bob: User, root: User) -> Message:
    """Both wrote, judged and keep something of everything; gives a message of the twin's."""
    theirs, other = (given.reply(bob, grow("P").root) for _ in range(2))
    texts = {user: given.reply(user, grow("P").root) for user in (alice, twin)}
    given.review(twin, texts[alice])
    given.review(alice, texts[twin])
    for user in (alice, twin):
        given.review(user, theirs)
        _live(user, theirs, root)
    given.review(twin, other)
    reactions.react(other.pk, twin, "+1", now=NOW)
    for judge in crowd(1, prefix="Judge"):
        given.review(judge, theirs)
    ranked = grow("P(A A)", state="ranking", author=bob)
    given.rank(twin, ranked.root, [ranked[1], ranked[2]])
    following.follow(ranked.root.tree_id, twin, now=NOW)
    FirstSteps.objects.create(user=twin)  # its key is the account's
    task = hand_out(twin, "initial_prompt")
    interactions.save_draft(task.pk, twin, {"text": "half a prompt"}, now=NOW)
    hand_out(twin, "assistant_reply", grow("P").root)
    prize = Prize.objects.create(title="May", starts_at=NOW, ends_at=NOW + timedelta(days=1))
    PrizeWinner.objects.create(prize=prize, place=1, user=twin, points=3)
    User.objects.filter(pk=twin.pk).update(
        muted_until=NOW, notes="rude once", time_zone="Asia/Tokyo"
    )
    holding.hold_user(twin.pk, actor=root, **WHY)
    ledger.catch_up(now=NOW)
    return texts[twin]


def _live(user: User, message: Message, root: User) -> None:
    reactions.react(message.pk, user, "+1", now=NOW)
    reactions.label_freely(message.pk, user, GOOD, now=NOW)
    reactions.report(message.pk, user, "spam", "Look at this.", now=NOW)
    following.follow(message.tree_id, user, now=NOW)
    questions.ask(user.pk, "Are you two?", actor=root, **WHY)
    Notification.objects.create(user=user, kind="accepted", created_at=NOW)
    NotificationSettings.objects.create(user=user, muted=["drawn"])
    chats.answer(chats.prompt(chats.chat(user)))
    CustomInstructions.objects.create(user=user, about_me=f"I am {user}")
    Preset.objects.create(user=user, name="mine", parameters={})
    Preset.objects.create(user=user, name=f"of {user}", parameters={})
    tokens.create(user, "script", [Scope.COMPLETIONS], now=NOW)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    SocialAccount.objects.create(user=user, provider="discord", uid=str(user.pk))
    Authenticator.objects.create(user=user, type="totp", data={})
    unread = Notification.objects.filter(user=user, read_at=None).count()
    User.objects.filter(pk=user.pk).update(unread_notifications=unread)


Merged = Callable[[], ModerationAction]


@pytest.fixture
def merged(rich: Message, alice: User, twin: User, root: User) -> Merged:
    """Makes the twin's account Alice's; gives the entry of the log."""

    def merge() -> ModerationAction:
        merging.merge(twin.pk, alice.pk, actor=root, **WHY)
        ledger.catch_up(now=NOW)
        return ModerationAction.objects.get(action="merge_people")

    return merge


def test_undone_everything_is_as_it_was(
    merged: Merged, rich: Message, alice: User, twin: User, root: User
) -> None:
    before, booked = everything(), points()
    entry = merged()
    assert Message.objects.get(pk=rich.pk).user_id == alice.pk
    moved = set(MergedRows.objects.values_list("model", flat=True))
    assert moved >= {
        "tasks_app.Message", "tasks_app.TextLabels", "tasks_app.Ranking", "tasks_app.Reaction",
        "tasks_app.Task", "tasks_app.Contribution", "tasks_app.TreeFollow", "chat_app.Chat",
        "tasks_app.Notification", "accounts.ApiToken", "socialaccount.SocialAccount",
        "leaderboard_app.PrizeWinner", "chat_app.Preset", "tasks_app.FirstSteps",
    }  # fmt: skip

    unmerging.undo(entry.pk, actor=root, **BACK)
    ledger.catch_up(now=NOW)

    after = everything()
    assert {name for name in before if before[name] != after[name]} == set()
    assert points() == booked
    assert list(ledger.disagreements()) == []
    assert oracle.problems() == []


def test_what_came_since_stays(merged: Merged, alice: User, twin: User, root: User) -> None:
    signed_in(twin)
    entry = merged()
    new = given.reply(User.objects.get(pk=alice.pk), grow("P").root)
    tokens.create(alice, "new", [Scope.COMPLETIONS], now=NOW)
    User.objects.filter(pk=alice.pk).update(notes="kind")
    people.set_address(User.objects.get(pk=alice.pk), twin.email)

    unmerging.undo(entry.pk, actor=root, **BACK)

    alice.refresh_from_db()
    assert Message.objects.get(pk=new.pk).user == alice
    assert {token.name for token in alice.api_tokens.all()} == {"script", "new"}
    assert alice.notes == "kind"
    assert [people.find(each) for each in ("alice@example.org", twin.email)] == [alice, twin]
    assert [user.open_sessions.count() for user in (alice, twin)] == [0, 0]
    ledger.catch_up(now=NOW)
    assert list(ledger.disagreements()) == []
    assert oracle.problems() == []


@pytest.mark.full
def test_undoing_twice_changes_nothing_more(merged: Merged, root: User) -> None:
    entry = merged()
    first = unmerging.undo(entry.pk, actor=root, **BACK)
    before = everything()

    assert unmerging.undo(entry.pk, actor=root, **BACK) == first
    assert everything() == before
    assert ModerationAction.objects.filter(undoes=entry).count() == 1
    assert not Merge.objects.exists()


@pytest.mark.full
def test_it_has_a_time_and_an_admin(
    merged: Merged, alice: User, twin: User, mona: User, root: User
) -> None:
    entry = merged()
    later = BACK | {"now": NOW + timedelta(days=30)}
    with pytest.raises(moderation.NotYours):
        unmerging.undo(entry.pk, actor=mona, **BACK)
    with pytest.raises(unmerging.CannotUnmerge):
        unmerging.undo(entry.pk, actor=root, **later)
    EmailAddress.objects.filter(email=twin.email).update(user=person("Third"))
    with pytest.raises(unmerging.CannotUnmerge):
        unmerging.undo(entry.pk, actor=root, **BACK)
    assert CustomInstructions.objects.count() == 2

    privacy.forget_old_merges()

    assert (Merge.objects.count(), CustomInstructions.objects.count()) == (0, 1)
    with pytest.raises(unmerging.CannotUnmerge):
        unmerging.undo(entry.pk, actor=root, **BACK)


@pytest.mark.full
def test_a_download_holds_the_drafts_that_a_merge_keeps_and_not_their_tasks(
    merged: Merged, alice: User
) -> None:
    merged()

    (told,) = tasks.collect(User.objects.get(pk=alice.pk))["merges"]

    assert [draft["body"] for draft in told["drafts"]] == [{"text": "half a prompt"}]
    assert set(told) == {"merged_at", "drafts"}


@pytest.mark.full
def test_merged_again_it_can_be_undone_again(
    merged: Merged, alice: User, twin: User, root: User
) -> None:
    before = everything()
    for _ in range(2):
        merging.merge(twin.pk, alice.pk, actor=root, **WHY)
        entry = ModerationAction.objects.filter(action="merge_people").latest("pk")
        unmerging.undo(entry.pk, actor=root, **BACK)
        ledger.catch_up(now=NOW)

    assert everything() == before
    assert list(ledger.disagreements()) == []


@pytest.mark.full
def test_points_are_held_back_by_the_record_of_whose_they_are(
    alice: User, twin: User, bob: User, root: User
) -> None:
    for judge, says, times in ((alice, GOOD, 14), (twin, SPAM, 5)):
        for _ in range(times):
            theirs = given.reply(bob, grow("P").root)
            for other in crowd(2, prefix="Judge"):
                given.review(other, theirs, GOOD)
            given.review(judge, theirs, says)
    ledger.catch_up(now=NOW)
    held = PointEntry.objects.filter(held=True)
    assert set(held.values_list("user", flat=True)) == {twin.pk}
    before = points()

    merging.merge(twin.pk, alice.pk, actor=root, **WHY)
    ledger.catch_up(now=NOW)
    assert not held.exists()
    assert list(ledger.disagreements()) == []

    entry = ModerationAction.objects.get(action="merge_people")
    unmerging.undo(entry.pk, actor=root, **BACK)
    ledger.catch_up(now=NOW)
    assert points() == before
    assert list(ledger.disagreements()) == []


@pytest.mark.full
def test_erasing_the_account_that_stayed_erases_what_the_merge_kept(
    merged: Merged, alice: User, twin: User
) -> None:
    merged()
    User.objects.get(pk=alice.pk)

    privacy.erase_person(User.objects.get(pk=alice.pk), now=NOW)

    assert not Merge.objects.exists()
    assert not MergedRows.objects.exists()
    assert not CustomInstructions.objects.exists()
    assert not Authenticator.objects.filter(user__in=[alice, twin]).exists()


@pytest.mark.full
@pytest.mark.django_db(transaction=True)
def test_undoing_waits_for_whoever_holds_an_account(
    merged: Merged, rich: Message, alice: User, twin: User, root: User
) -> None:
    entry = merged()

    def undo() -> None:
        unmerging.undo(entry.pk, actor=root, **BACK)
        connection.close()

    with connected() as elsewhere:
        elsewhere.execute("SELECT id FROM accounts_user WHERE id = %s FOR UPDATE", [alice.pk])
        undoing = threading.Thread(target=undo)
        undoing.start()
        undoing.join(0.3)
        assert undoing.is_alive()
        assert Message.objects.get(pk=rich.pk).user == alice
        elsewhere.rollback()
    undoing.join(20)
    assert Message.objects.get(pk=rich.pk).user == twin


def test_the_desk_tells_what_would_go_back_before_it_does(
    merged: Merged, twin: User, root: User, mona: User
) -> None:
    entry = merged()
    Merge.objects.update(merged_at=timezone.now())
    path = f"/admin/tasks_app/moderationaction/{entry.pk}/act/unmerge/"
    client, filled = signed_in(root), {"reason": "They are two people."}

    preview = client.post(path, filled | {"preview": "yes"}).content.decode()

    assert "1 messages, 3 votes" in preview
    assert "given back: 2" in preview
    assert not User.objects.get(pk=twin.pk).is_active
    assert signed_in(mona).post(path, filled).status_code in {403, 404}
    assert client.post(path, filled).status_code == 302
    twin.refresh_from_db()
    assert (twin.is_active, twin.email) == (True, "twin@example.org")
    assert Draft.objects.filter(task__in=Task.objects.filter(user=twin)).count() == 1
    undone = ModerationAction.objects.get(undoes=entry)
    assert (undone.actor, undone.reason) == (root, filled["reason"])
