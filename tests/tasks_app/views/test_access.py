"""Who may see which page, and what the others get."""

import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app.enums import TaskType
from tasks_app.models import Task
from tests.factories import grow
from tests.sessions import SignIn
from tests.tasks_app.views import given

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

SOME_ID = uuid.UUID(int=7)
PAGES = [
    "/dashboard/",
    "/tasks/",
    "/tasks/random/next/",
    f"/tasks/{SOME_ID}/",
    "/messages/",
    f"/messages/{SOME_ID}/",
    f"/messages/{SOME_ID}/react/",
    f"/messages/{SOME_ID}/report/",
    f"/messages/{SOME_ID}/labels/",
    f"/trees/{SOME_ID}/",
    "/contributions/",
]
ACTIONS = [
    f"/tasks/{SOME_ID}/{name}/" for name in ("skip", "draft", "heartbeat", "preview", "reclaim")
]


@pytest.mark.parametrize("url", [*PAGES, *ACTIONS])
def test_visitors_are_sent_to_sign_in_and_come_back(client: Client, url: str) -> None:
    response = client.post(url) if url in ACTIONS else client.get(url)

    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next={url}"


@pytest.mark.parametrize("url", ACTIONS)
def test_actions_are_refused_to_links(web: Client, url: str) -> None:
    assert web.get(url).status_code == 405


@pytest.mark.parametrize("url", [*PAGES[3:4], *PAGES[5:10]])
def test_what_does_not_exist_is_not_found(web: Client, url: str) -> None:
    assert web.get(url).status_code == 404


@pytest.mark.parametrize("action", ["", "skip", "draft", "heartbeat", "preview", "reclaim"])
def test_other_peoples_tasks_do_not_exist(sign_in: SignIn, bob: User, action: str) -> None:
    task = given.task(bob, TaskType.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1])
    stranger = sign_in(User.objects.create_user("stranger@example.org", **_settled(bob)))

    response = stranger.post(given.url(task, action=action), {"spam": "0"})

    assert response.status_code == 404
    task.refresh_from_db()
    assert task.is_open


def _settled(user: User) -> dict[str, object]:
    return {name: getattr(user, name) for name in ("tos_version", "tos_accepted_at")}


def test_somebody_banned_is_signed_out(sign_in: SignIn, trudy: User) -> None:
    response = sign_in(trudy).get("/tasks/random/next/")

    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


def test_somebody_muted_reads_but_gets_no_task(sign_in: SignIn, bob: User) -> None:
    grow("P(A?)")
    User.objects.filter(pk=bob.pk).update(muted_until=timezone.now() + timedelta(days=1))
    web = sign_in(bob)

    refused = web.get("/tasks/random/next/")

    assert refused.status_code == 403
    assert "You cannot contribute right now" in refused.text
    assert web.get("/messages/").status_code == 200
    assert web.get("/contributions/").status_code == 200
    assert not Task.objects.exists()


def test_somebody_muted_keeps_what_they_wrote(sign_in: SignIn, bob: User) -> None:
    task = given.task(bob, TaskType.ASSISTANT_REPLY, grow("P").root)
    User.objects.filter(pk=bob.pk).update(muted_until=timezone.now() + timedelta(days=1))

    refused = sign_in(bob).post(given.url(task), {"text": "A long answer"})

    assert refused.status_code == 403
    assert "You cannot contribute right now" in refused.text
    assert "A long answer" in refused.text
    task.refresh_from_db()
    assert task.is_open


def test_scripts_hear_that_they_are_signed_out(client: Client) -> None:
    url = f"/tasks/{SOME_ID}/draft/"

    response = client.post(url, headers={"Accept": "application/json"})

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "signed_out"


def test_fragments_send_to_sign_in_as_a_whole_page(client: Client) -> None:
    response = client.post(f"/messages/{SOME_ID}/react/", headers={"HX-Request": "true"})

    assert response["HX-Redirect"] == "/accounts/login/"


@pytest.mark.parametrize("url", ["/tasks/nonsense/next/", "/tasks/label/", "/messages/1/"])
def test_addresses_that_mean_nothing_are_not_found(web: Client, url: str) -> None:
    assert web.get(url).status_code == 404


def test_actions_need_the_csrf_token(alice: User) -> None:
    task = given.task(alice, TaskType.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1])
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice, backend="oasst.accounts.backends.ByPassword")

    response = strict.post(given.url(task), {"spam": "0"})

    assert response.status_code == 403
    task.refresh_from_db()
    assert task.is_open
