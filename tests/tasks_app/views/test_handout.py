"""Handing out the next task, and what the page says when there is none."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import config, interactions
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Draft, Task
from tests.factories import grow
from tests.sessions import SignIn
from tests.tasks_app.views import given

pytestmark = pytest.mark.django_db

K = TaskType
TASK_PAGE = re.compile(r"/tasks/[0-9a-f-]{36}/")


@pytest.mark.parametrize("method", ["get", "post"])
def test_next_hands_out_a_task_and_goes_to_its_page(web: Client, method: str) -> None:
    grow("P(A?)")

    response = getattr(web, method)("/tasks/label_assistant_reply/next/")

    assert response.status_code == 302
    assert TASK_PAGE.fullmatch(response["Location"])
    assert Task.objects.get().kind == K.LABEL_ASSISTANT_REPLY


def test_next_again_gives_the_same_task(web: Client) -> None:
    grow("P(A? A?)")

    first = web.get("/tasks/label_assistant_reply/next/")
    second = web.get("/tasks/random/next/")

    assert first["Location"] == second["Location"]
    assert Task.objects.count() == 1


def test_next_of_random_finds_what_there_is(web: Client) -> None:
    grow("P(A A)", state=TreeState.RANKING)

    web.get("/tasks/random/next/")

    assert Task.objects.get().kind == K.RANK_ASSISTANT_REPLIES


@pytest.mark.parametrize("kind", ["random", *K.values])
def test_next_without_work_explains_and_offers_a_way_on(web: Client, kind: str) -> None:
    config.change(
        "init_prompt_disabled_langs", ["en"], actor=None, reason="test", now=timezone.now()
    )

    page = web.get(f"/tasks/{kind}/next/")

    assert page.status_code == 200
    assert page.context["blockers"]
    assert 'href="/tasks/"' in page.text
    assert not Task.objects.exists()


def test_next_without_work_links_the_step_before(web: Client) -> None:
    grow("P(A?)")

    page = web.get("/tasks/prompter_reply/next/")

    assert 'href="/tasks/label_assistant_reply/next/"' in page.text


def test_next_takes_only_the_language_asked_for(sign_in: SignIn, bob: User) -> None:
    bob.contribution_languages = ["en", "de"]
    bob.save()
    grow("P(A?)", lang="en")
    grow("P(A?)", lang="de")

    sign_in(bob).get("/tasks/label_assistant_reply/next/?lang=de")

    assert Task.objects.get().lang == "de"


@pytest.mark.parametrize("lang", ["fr", "x" * 5000, "%00", "en,de"])
def test_next_in_a_language_one_did_not_choose_says_so(web: Client, lang: str) -> None:
    response = web.get(f"/tasks/random/next/?lang={lang}")

    assert response.status_code == 400
    assert "not one of your languages" in response.text
    assert not Task.objects.exists()


def test_next_without_any_language_asks_for_one(sign_in: SignIn, bob: User) -> None:
    bob.contribution_languages = []
    bob.save()

    page = sign_in(bob).get("/tasks/random/next/")

    assert page.status_code == 200
    assert 'href="/account/"' in page.text


def test_next_too_often_has_to_wait(web: Client) -> None:
    grow("P(A?)")
    for _ in range(30):
        assert web.get("/tasks/random/next/").status_code == 302

    refused = web.get("/tasks/random/next/")

    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 240


def test_next_of_assistant_replies_is_limited_by_itself(web: Client) -> None:
    grow("P")
    for _ in range(4):
        assert web.get("/tasks/assistant_reply/next/").status_code == 302

    refused = web.get("/tasks/assistant_reply/next/")

    assert refused.status_code == 429
    assert web.get("/tasks/random/next/").status_code == 302


def test_next_with_many_open_tasks_lists_them(web: Client, alice: User) -> None:
    limit = config.TreeConfig.defaults().max_pending_tasks_per_user
    tasks = [given.task(alice, K.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1]) for _ in range(limit)]
    Task.objects.update(reserved_until=timezone.now() - timedelta(seconds=1))
    grow("P(A?)")

    refused = web.get("/tasks/label_assistant_reply/next/")

    assert refused.status_code == 429
    assert all(given.url(task) in refused.text for task in tasks)


def test_reclaim_moves_the_draft_to_a_fresh_task(web: Client, alice: User) -> None:
    task = given.task(alice, K.ASSISTANT_REPLY, grow("P").root)
    interactions.save_draft(task.pk, alice, {"text": "Half an answer"}, now=timezone.now())
    past = timezone.now() - timedelta(hours=1)
    Task.objects.update(expires_at=past, reserved_until=past, holds_slot=False)
    interactions.trees.advance(task.tree, config=config.TreeConfig.current(), now=timezone.now())

    response = web.post(given.url(task, action="reclaim"))

    fresh = Task.objects.exclude(pk=task.pk).get()
    assert response["Location"] == given.url(fresh)
    assert fresh.draft.body == {"text": "Half an answer"}
    assert "Half an answer" in web.get(given.url(fresh)).text


def test_reclaim_overwrites_no_other_draft(web: Client, alice: User) -> None:
    task = given.task(alice, K.INITIAL_PROMPT)
    interactions.save_draft(task.pk, alice, {"text": "The older"}, now=timezone.now())
    past = timezone.now() - timedelta(hours=1)
    Task.objects.update(expires_at=past, reserved_until=past, holds_slot=False)
    other = given.task(alice, K.INITIAL_PROMPT)
    interactions.save_draft(other.pk, alice, {"text": "The newer"}, now=timezone.now())

    response = web.post(given.url(task, action="reclaim"))

    assert response["Location"] == given.url(other)
    texts = {draft.task_id: draft.body["text"] for draft in Draft.objects.all()}
    assert texts == {task.pk: "The older", other.pk: "The newer"}
    assert "The older text is kept" in web.get(given.url(other)).text


def test_reclaim_with_many_open_tasks_lists_them(web: Client, alice: User) -> None:
    limit = config.TreeConfig.defaults().max_pending_tasks_per_user
    expired = given.task(alice, K.ASSISTANT_REPLY, grow("P").root)
    past = timezone.now() - timedelta(hours=1)
    Task.objects.update(expires_at=past, reserved_until=past)
    tasks = [given.task(alice, K.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1]) for _ in range(limit)]

    refused = web.post(given.url(expired, action="reclaim"))

    assert refused.status_code == 429
    assert all(given.url(task) in refused.text for task in tasks)


def test_answers_to_a_review_that_has_expired_move_to_a_fresh_task(
    web: Client, alice: User
) -> None:
    task = given.task(alice, K.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1])
    past = timezone.now() - timedelta(hours=1)
    Task.objects.update(expires_at=past, reserved_until=past, holds_slot=False)
    interactions.trees.advance(task.tree, config=config.TreeConfig.current(), now=timezone.now())

    refused = web.post(given.url(task), {"spam": "0", "quality": "0.75", "lang_mismatch": "0"})
    assert refused.status_code == 410
    web.post(given.url(task, action="reclaim"))

    fresh = Task.objects.exclude(pk=task.pk).get()
    assert fresh.draft.body["quality"] == "0.75"


def test_reclaim_of_a_place_that_is_gone_explains(web: Client, alice: User) -> None:
    task = given.task(alice, K.ASSISTANT_REPLY, grow("P", max_children_count=1).root)
    past = timezone.now() - timedelta(hours=1)
    Task.objects.update(expires_at=past, reserved_until=past)

    page = web.post(given.url(task, action="reclaim"))

    assert page.status_code == 200
    assert page.context["blockers"]
