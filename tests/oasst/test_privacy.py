"""Taking one's data along, and deleting the account, across all apps."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any

import pytest
from django.apps import apps
from django.core import mail
from django.db import models
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from oasst import privacy
from oasst.accounts import people
from oasst.accounts.models import User
from tasks_app import erasing, interactions, moderation, reactions, selection
from tasks_app.enums import TaskType
from tasks_app.errors import NotAllowed
from tasks_app.models import Draft, Message, Task, TextLabels
from tests import factories
from tests.factories import CHANCE, NOW, grow
from tests.tasks_app import oracle
from tests.waiting import (
    PATIENCE_S,
    hold,
    on_a_connection_of_its_own,
    wait_until,
    waiting_requests,
)

pytestmark = pytest.mark.slow

# Columns that point to a person, and where the download shows their rows.
SHOWN = {
    "accounts.ApiToken.user": "account.api_tokens",
    "accounts.OpenSession.user": "account.signed_in_devices",
    "accounts.SavedView.user": "account.saved_views",
    "account.EmailAddress.user": "account.email_addresses",
    "mfa.Authenticator.user": "account.second_factors",
    "socialaccount.SocialAccount.user": "account.connected_accounts",
    "chat_app.Chat.user": "chats.chats",
    "chat_app.ChatReport.user": "chats.reports",
    "chat_app.CustomInstructions.user": "chats.instructions",
    "chat_app.Preset.user": "chats.presets",
    "chat_app.TaskConsent.user": "chats.offered_as_tasks",
    "leaderboard_app.PointEntry.user": "community.points",
    "leaderboard_app.PrizeWinner.user": "community.prizes",
    "leaderboard_app.Streak.user": "community.streak",
    "leaderboard_app.UserStats.user": "community.standings",
    "tasks_app.Message.user": "contributions.messages",
    "tasks_app.MessageRevision.user": "contributions.edits",
    "tasks_app.Task.user": "contributions.tasks",
    "tasks_app.TextLabels.user": "contributions.reviews",
    "tasks_app.GoldAnswer.user": "contributions.answers_to_gold_items",
    "tasks_app.Reliability.user": "contributions.reliability",
    "tasks_app.Ranking.user": "contributions.rankings",
    "tasks_app.Reaction.user": "contributions.reactions",
    "tasks_app.Report.user": "contributions.reports",
    "tasks_app.Question.person": "contributions.questions",
    "tasks_app.Contribution.user": "contributions.journal",
    "tasks_app.Merge.into": "contributions.merges",
    "tasks_app.FirstSteps.user": "contributions.first_steps",
    "tasks_app.Notification.user": "contributions.notifications",
    "tasks_app.TreeFollow.user": "contributions.followed_conversations",
    "tasks_app.TopicChange.user": "contributions.topics_chosen",
    "tasks_app.NotificationSettings.user": "contributions.notification_settings",
}
# Secrets that live for minutes, whose turn it is, Django's own log, what moderators
# did in office and where they look first, what keeps notifications from being told twice, the
# account that a merge closed.
NOT_SHOWN = {
    "accounts.EmailCode.user",
    "admin.LogEntry.user",
    "chat_app.ChatReport.resolved_by",
    "chat_app.QueueTurn.user",
    "leaderboard_app.TrollStats.user",
    "tasks_app.BulkAction.actor",
    "tasks_app.BulkAction.person",
    "tasks_app.BulkAction.undo_actor",
    "tasks_app.GoldItem.made_by",
    "tasks_app.ConfigChange.actor",
    "tasks_app.Merge.source",
    "tasks_app.ModerationAction.actor",
    "tasks_app.NotifiedFact.user",
    "tasks_app.Question.asked_by",
    "tasks_app.Report.claimed_by",
    "tasks_app.Report.resolved_by",
    "tasks_app.TreeTransition.actor",
    "training.Promotion.promoted_by",
    "training.Round.queued_by",
    "training.Snapshot.created_by",
    "training.SnapshotCheck.asked_by",
    "training.SnapshotRequest.asked_by",
    "training.TrainingRun.queued_by",
}


KEEP = {"texts": "keep"}


def columns_of_people() -> Iterator[str]:
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, models.ForeignKey) and field.related_model is User:
                yield f"{model._meta.app_label}.{model.__name__}.{field.name}"


def download(client: Client) -> dict[str, Any]:
    response = client.get("/account/data/")
    assert response.status_code == 200
    return json.loads(b"".join(response.streaming_content))


@pytest.fixture
def busy(alice: User, bob: User) -> Message:
    """Alice has written, reviewed and reacted, and holds an open task with a draft."""
    mine = grow("P(A)", author=alice)
    theirs = grow("P(A)", author=bob)
    reactions.label_freely(theirs.root.pk, alice, {"spam": 0.0}, now=NOW)
    reactions.react(theirs[1].pk, alice, "+1", now=NOW)
    task = selection.next_task(alice, TaskType.INITIAL_PROMPT, langs=["en"], now=NOW, rng=CHANCE)
    interactions.save_draft(task.pk, alice, {"text": "half a prompt"}, now=NOW)
    return mine.root


def test_every_column_that_points_to_a_person_is_accounted_for() -> None:
    assert set(columns_of_people()) == set(SHOWN) | NOT_SHOWN


def test_download_holds_everything(client: Client, alice: User, bob: User, busy: Message) -> None:
    client.force_login(alice)

    data = download(client)

    assert set(data) == {"about", "account", "training", "chats", "community", "contributions"}
    assert data["account"]["account"][0]["email"] == alice.email
    mine = data["contributions"]
    assert busy.text in [row["text"] for row in mine["messages"]]
    assert mine["reviews"][0]["values"] == {"spam": 0.0}
    assert [row["code"] for row in mine["reactions"]] == ["+1"]
    assert mine["drafts"][0]["body"] == {"text": "half a prompt"}
    assert len(mine["tasks"]) == 1
    for place in SHOWN.values():
        app, section = place.split(".")
        assert section in data[app]


def test_download_holds_nothing_of_others(client: Client, bob: User, busy: Message) -> None:
    client.force_login(factories.person("Carol"))

    data = download(client)

    assert bob.email not in json.dumps(data)
    assert [rows for rows in data["contributions"].values() if rows] == []
    assert [rows for rows in data["chats"].values() if rows] == []


def test_download_is_limited(client: Client, alice: User) -> None:
    client.force_login(alice)

    answers = [client.get("/account/data/") for _ in range(privacy.DOWNLOADS_PER_HOUR + 1)]

    assert [a.status_code for a in answers] == [200] * privacy.DOWNLOADS_PER_HOUR + [429]
    assert int(answers[-1]["Retry-After"]) > 0


def test_deleting_needs_the_address_typed(client: Client, alice: User, bob: User) -> None:
    client.force_login(alice)

    for typed in ("", "yes", bob.email):
        response = client.post("/account/delete/", {"confirmation": typed, "texts": "erase"})
        assert response.status_code == 400

    alice.refresh_from_db()
    assert alice.deleted_at is None


def test_deleting_removes_the_person_and_keeps_the_work(
    client: Client,
    alice: User,
    busy: Message,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    phone = Client()
    phone.force_login(alice)
    client.force_login(alice)
    email, text = alice.email, busy.text
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(
            "/account/delete/", {"confirmation": " Alice@Example.org ", "texts": "keep"}
        )

    assert "is deleted" in response.content.decode()
    for browser in (client, phone):
        assert browser.get("/account/")["Location"].startswith("/accounts/login/")
    assert mail.outbox[-1].to == [email]
    _assert_anonymous(User.objects.get(pk=alice.pk), email)
    assert Draft.objects.count() == 0
    assert Task.objects.filter(user=alice).count() == 0
    busy.refresh_from_db()
    assert (busy.text, busy.user_id) == (text, alice.pk)
    assert TextLabels.objects.filter(user=alice).count() == 1


@pytest.fixture
def erased(alice: User, bob: User, mona: User) -> factories.Grown:
    """Alice wrote the first answer, which was corrected, and the last; then she deleted it all."""
    thread = grow("P(A(P) A)", author=bob)
    Message.objects.filter(pk__in=[thread[1].pk, thread[3].pk]).update(user=alice)
    moderation.edit_message(thread[1].pk, "Corrected", actor=mona, reason="typo", now=NOW)
    people.close(alice, now=NOW, erases_texts=True)  # and then the server stopped
    privacy.finish_erasures()
    return thread


def test_texts_are_erased_where_that_is_chosen(erased: factories.Grown) -> None:
    rows = {row.pk: row for row in Message.objects.all()}
    root, first, below, last = (rows[erased[place].pk] for place in range(4))

    assert {first.text, last.text} == {erasing.ERASED_TEXT}
    assert (first.deleted, below.deleted, last.deleted) == (True, True, True)
    assert below.text == erased[2].text
    assert not root.deleted
    assert not first.revisions.exists()
    assert not Message.objects.filter(search_vector="corrected").exists()
    assert oracle.problems() == []


def _assert_anonymous(gone: User, email: str) -> None:
    assert gone.public_name == "Deleted account"
    assert gone.deleted_at is not None
    assert not gone.is_active
    assert gone.emailaddress_set.count() == 0
    assert gone.groups.count() == 0
    assert email not in str(list(User.objects.values()))
    assert "Alice" not in str(list(User.objects.values()))


def test_deleted_address_can_join_again_as_somebody_new(client: Client, alice: User) -> None:
    email = alice.email
    privacy.erase_person(alice, now=NOW)

    again = User.objects.create_user(email)

    assert again.pk != alice.pk


def test_deleting_gives_reserved_work_to_others(alice: User, bob: User) -> None:
    grow("P", author=factories.person("Carol"), max_children_count=1, goal_tree_size=2)
    kind = TaskType.ASSISTANT_REPLY
    mine = selection.next_task(alice, kind, langs=["en"], now=NOW, rng=CHANCE)
    assert kind not in selection.available_tasks(bob, ["en"], now=NOW)

    privacy.erase_person(alice, now=NOW)

    theirs = selection.next_task(bob, kind, langs=["en"], now=NOW, rng=CHANCE)
    assert theirs.message_id == mine.message_id


@pytest.mark.django_db(transaction=True)
def test_nothing_new_is_handed_out_while_an_account_is_deleted(alice: User, bob: User) -> None:
    """Alice's other tab asks for a task while the deletion waits to give back her first one."""
    held, free = grow("P(A?)"), grow("P(A?)")
    kind = TaskType.LABEL_ASSISTANT_REPLY
    factories.hand_out(alice, kind, held[1])
    is_held, may_go, stale = Event(), Event(), User.objects.get(pk=alice.pk)
    with ThreadPoolExecutor(2) as pool:
        begin = partial(pool.submit, on_a_connection_of_its_own)
        holder = begin(partial(hold, held.tree.pk, is_held, may_go))
        assert is_held.wait(PATIENCE_S)
        deletion = begin(partial(privacy.erase_person, alice, now=NOW))
        wait_until(waiting_requests)
        try:
            with pytest.raises(NotAllowed):
                factories.hand_out(stale, kind, free[1])
        finally:
            may_go.set()
        assert [each.result(PATIENCE_S) for each in (holder, deletion)] == [None, None]

    assert Task.objects.filter(user=alice).count() == 0
    assert User.objects.get(pk=alice.pk).email.endswith("@deleted.invalid")
    assert oracle.problems() == []


def test_deletion_that_broke_off_is_ended_by_the_job(
    client: Client,
    alice: User,
    bob: User,
    busy: Message,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client.force_login(alice)
    email = alice.email
    people.close(alice, now=timezone.now())
    assert client.get("/account/").status_code == 302

    privacy.finish_erasures()
    assert User.objects.get(pk=alice.pk).email == email  # it may still be under way
    User.objects.filter(pk=alice.pk).update(deleted_at=NOW)
    with django_capture_on_commit_callbacks(execute=True):
        privacy.finish_erasures()
        privacy.finish_erasures()

    _assert_anonymous(User.objects.get(pk=alice.pk), email)
    assert [each.to for each in mail.outbox] == [[email]]
    assert Draft.objects.count() == 0
    assert User.objects.get(pk=bob.pk).is_active


def test_deleting_twice_does_no_harm(alice: User, busy: Message) -> None:
    privacy.erase_person(alice, now=NOW)
    privacy.erase_person(alice, now=NOW)

    assert User.objects.get(pk=alice.pk).email == f"{alice.pk}@deleted.invalid"


def test_moderator_who_deletes_the_account_loses_all_rights(client: Client, mona: User) -> None:
    privacy.erase_person(mona, now=NOW)

    gone = User.objects.get(pk=mona.pk)
    assert (gone.is_staff, gone.is_moderator, gone.has_perm("tasks_app.view_message")) == (
        False,
        False,
        False,
    )
