"""Nobody saves raw rows by the admin, whoever they are; who opens what: `tests/permissions`."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from oasst.accounts.models import User
from tasks_app import config, moderation, reactions
from tasks_app.bulk import actions, plans
from tasks_app.enums import BulkKind, TaskType
from tasks_app.models import (
    BulkAction,
    ConfigChange,
    Contribution,
    Message,
    MessageTree,
    ModerationAction,
    Report,
    Task,
)
from tests.factories import NOW, grow, hand_out, person
from tests.sessions import signed_in
from tests.tasks_app.admin.desk import act_on, list_of, page_of

pytestmark = pytest.mark.slow

MODELS = (Message, MessageTree, Task, Report, Contribution, ModerationAction, BulkAction,
          ConfigChange, User)  # fmt: skip
EVERYBODY = ("anonymous", "contributor", "banned", "moderator", "admin", "superuser")
STAFF = {"moderator", "admin", "superuser"}
LOGIN = "/accounts/login/"


@pytest.fixture
def browsers(alice: User, trudy: User, mona: User, root: User) -> dict[str, Client]:
    """One browser of each kind of person."""
    superuser = person("Super", is_superuser=True, is_staff=True)
    people = {"contributor": alice, "moderator": mona, "admin": root, "superuser": superuser}
    banned = Client()
    banned.force_login(trudy, backend="oasst.accounts.backends.ByPassword")
    signed = {kind: signed_in(user) for kind, user in people.items()}
    return {"anonymous": Client(), "banned": banned, **signed}


@pytest.fixture
def rows(bob: User, alice: User, mona: User, root: User) -> dict[str, object]:
    """A row of everything that has a page."""
    grown = grow("P(A A?)", author=bob)
    report = reactions.report(grown[1].pk, alice, "spam", "look", now=NOW)
    moderation.mute_user(
        bob.pk, until=NOW + timedelta(days=1), actor=mona, reason="quarrel", now=NOW
    )
    change = config.change("goal_tree_size", 9, actor=root, reason="smaller", now=NOW)
    task = hand_out(alice, TaskType.LABEL_ASSISTANT_REPLY)
    return {
        "message": grown[1],
        "tree": grown.tree,
        "task": task,
        "report": report,
        "person": bob,
        "logged": ModerationAction.objects.get(),
        "contribution": Contribution.objects.first(),
        "change": change,
        "bulk": actions.do_now(
            plans.of_messages(BulkKind.LABEL, [grown[1].pk], label="pii"),
            actor=mona,
            reason="numbers",
            now=NOW,
        ),
    }


@pytest.mark.parametrize("kind", EVERYBODY)
def test_nothing_is_added_saved_or_deleted_by_the_admin_itself(
    browsers: dict[str, Client], rows: dict[str, object], kind: str
) -> None:
    before = {model: list(model.objects.order_by("pk").values()) for model in MODELS}

    for row in rows.values():
        name = f"{row._meta.app_label}_{row._meta.model_name}"
        for url in (
            reverse(f"admin:{name}_add"),
            reverse(f"admin:{name}_delete", args=[row.pk]),
            page_of(row),
        ):
            response = browsers[kind].post(url, {"text": "x", "post": "yes", "notes": "x"})
            assert response.status_code in ({403, 200} if kind in STAFF else {302}), url

    assert {model: list(model.objects.order_by("pk").values()) for model in MODELS} == before


def test_delete_selected_is_not_offered(browsers: dict[str, Client], rows: dict) -> None:
    for model in MODELS:
        response = browsers["superuser"].post(
            list_of(model), {"action": "delete_selected", "_selected_action": ["1"], "post": "yes"}
        )
        assert response.status_code in {200, 302, 405}

    assert Message.objects.count() == 3
    assert Task.objects.exists()


def test_tables_with_secrets_or_rights_are_not_in_the_admin() -> None:
    shown = {model._meta.label for model in admin.site._registry}
    of_the_chat = {"chat_app.ChatReport", "chat_app.ServedModel", "chat_app.Worker"}
    of_training = {
        *("training.TrainingRun", "training.Snapshot", "training.Checkpoint", "training.Round"),
    }

    of_the_crowd = {"tasks_app.GoldItem", "tasks_app.Question", "tasks_app.Reliability"}
    names = ("TrollStats", "PointEntry", "TeamGoal")
    of_the_community = {f"leaderboard_app.{name}" for name in names}

    ours = {model._meta.label for model in MODELS}
    assert shown == ours | of_the_chat | of_training | of_the_crowd | of_the_community


@pytest.mark.parametrize("url", ["/admin/", "/admin/tasks_app/report/"])
def test_sign_in_by_mail_leads_back_to_the_desk(client: Client, db: None, url: str) -> None:
    response = client.get(url, follow=True)

    assert response.redirect_chain[-1][0].startswith(f"{LOGIN}?next=%2Fadmin%2F")


def test_unknown_ids_and_actions_are_not_found(browsers: dict[str, Client], rows: dict) -> None:
    message = rows["message"]
    base = "/admin/tasks_app/message"

    assert browsers["moderator"].get(act_on(message, "explode")).status_code == 404
    assert browsers["moderator"].get(f"{base}/nonsense/act/delete/").status_code == 404
    assert browsers["moderator"].get(f"{base}/nonsense/change/").status_code == 302
