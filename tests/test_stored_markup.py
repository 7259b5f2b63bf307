"""Texts that are markup, shown in every page of contributors and of the desk."""

from itertools import product

import pytest
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import moderation
from tasks_app.config import change
from tasks_app.models import (
    Draft,
    Message,
    MessageTree,
    ModerationAction,
    Ranking,
    Report,
    Task,
    TreeTransition,
)
from tests.hostile import CANARY, NAME, TAG, Given, Injections, arrange, check


def test_check_finds_markup_of_others() -> None:
    for page in (TAG, "<a href='JavaScript:x'>", "<p onclick='canary()'>", "<style>canary</style>"):
        assert Injections(page).found != [], page
    assert Injections("<p title='<xss-canary onload>'>&lt;xss-canary&gt;</p>").found == []


@pytest.fixture
def poisoned(db: None) -> Given:
    """Every text that anybody can have stored is markup."""
    given = arrange()
    alice, now = User.objects.get(email="alice@example.org"), timezone.now()
    User.objects.update(display_name=NAME, notes=TAG)
    User.objects.filter(pk=alice.pk).update(email=f'"{TAG}"@example.org')
    Message.objects.update(
        text=TAG, provenance=TAG, imported_author=TAG, model_name=TAG, detected_lang=CANARY[:8]
    )
    moderation.edit_message(given.words["message"], f"{TAG} 2", actor=alice, reason=TAG, now=now)
    Report.objects.update(text=TAG, note=TAG)
    Ranking.objects.update(reason=TAG)
    Task.objects.update(skip_reason=TAG)
    MessageTree.objects.update(origin=TAG)
    ModerationAction.objects.update(reason=TAG, data={TAG: TAG})
    TreeTransition.objects.update(reason=TAG)
    change("goal_tree_size", 9, actor=alice, reason=TAG, now=now)
    Draft.objects.update(body={"text": TAG})
    return given


READ_BY_CONTRIBUTORS = ["/dashboard/", "/tasks/", "/messages/", "/messages/?mine=on&",
                        "/contributions/", "/account/", "/account/email/", "/account/delete/",
                        "/accounts/logout/", "/messages/{message}/", "/trees/{tree}/",
                        "/messages/{message}/report/", "/messages/{message}/labels/"]  # fmt: skip
OWN_TASKS = ["/tasks/{writing}/", "/tasks/{review}/", "/tasks/{ranking}/"]
MODELS = ["message", "messagetree", "report", "task", "contribution", "moderationaction",
          "configchange"]  # fmt: skip
READ_BY_STAFF = ["/admin/", "/admin/search/?s=canary&extended=1&",
                 *(f"/admin/tasks_app/{model}/" for model in MODELS), "{people}/",
                 "{tasks}/message/{message}/change/", "{tasks}/messagetree/{tree}/change/",
                 "{tasks}/report/{report}/change/", "{tasks}/task/{writing}/change/",
                 "{people}/{alice}/change/", "{tasks}/message/{message}/act/delete/",
                 "{tasks}/message/{message}/act/edit/", "{people}/{alice}/act/notes/",
                 "{people}/{alice}/act/ban/"]  # fmt: skip


@pytest.mark.parametrize(
    ("who", "path"),
    [
        *product(["alice"], READ_BY_CONTRIBUTORS + OWN_TASKS),
        *product(["mona"], READ_BY_CONTRIBUTORS),
        *product(["mona", "root"], READ_BY_STAFF),
    ],
)
def test_stored_markup_is_shown_as_text(poisoned: Given, who: str, path: str) -> None:
    response = poisoned.send(who, path.format(**poisoned.words) + "?")

    assert (response.status_code, CANARY.encode() in response.content) == (200, True)
    check(response)
