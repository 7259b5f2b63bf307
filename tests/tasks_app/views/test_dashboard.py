"""The dashboard and the list of tasks."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import config, interactions, moderation
from tasks_app.enums import TaskType, TreeState
from tests.factories import SPAM, alice, grow, review
from tests.sessions import SignIn
from tests.tasks_app.views import given

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

K = TaskType


def queries(web: Client, url: str) -> int:
    """How many queries a page takes."""
    with CaptureQueriesContext(connection) as captured:
        assert web.get(url).status_code == 200
    return len(captured)


def test_a_newcomer_sees_first_steps_and_the_shortest_task(web: Client) -> None:
    grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
    grow("P(A A)", state=TreeState.RANKING)

    page = web.get("/dashboard/")

    assert page.context["best"].code == K.LABEL_INITIAL_PROMPT
    assert "Your first steps" in page.text
    assert "/tasks/label_initial_prompt/next/" in page.text


def test_first_steps_disappear_when_done(web: Client, alice: User) -> None:
    task = given.task(alice, K.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1])
    interactions.submit_labels(task.pk, alice, {"spam": 0.0}, now=timezone.now())
    task = given.task(alice, K.INITIAL_PROMPT)
    interactions.submit_reply(task.pk, alice, "Why is the sky blue?", now=timezone.now())

    assert "Your first steps" not in web.get("/dashboard/").text


def test_an_open_task_comes_before_anything_new(web: Client, alice: User) -> None:
    task = given.task(alice, K.ASSISTANT_REPLY, grow("P").root)
    interactions.save_draft(task.pk, alice, {"text": "Half"}, now=timezone.now())

    page = web.get("/dashboard/")

    assert given.url(task) in page.text
    assert "Draft saved" in page.text
    assert "Next for you" not in page.text


def test_without_work_the_dashboard_says_what_would_help(web: Client) -> None:
    config.change("init_prompt_disabled_langs", ["en"], actor=None, reason="x", now=timezone.now())

    page = web.get("/dashboard/")

    assert page.context["best"] is None
    assert page.context["blockers"]
    assert "Nothing for you right now" in page.text


def test_a_rejected_message_comes_with_its_reasons(web: Client, alice: User) -> None:
    grown = grow("P(A?)", authors={1: alice})
    review(grown[1], SPAM, SPAM, {"spam": 0.0})

    page = web.get("/dashboard/")

    assert "Not accepted" in page.text
    assert "2 of 3 reviewers marked it as: Spam" in page.text


def test_a_removed_message_comes_with_the_moderators_reason(
    web: Client, alice: User, mona: User
) -> None:
    grown = grow("P(A)", authors={1: alice})
    moderation.delete_message(grown[1].pk, actor=mona, reason="names a person", now=timezone.now())

    assert "names a person" in web.get("/dashboard/").text


def test_work_that_waits_is_counted_by_language(sign_in: SignIn, bob: User) -> None:
    bob.contribution_languages = ["en", "de"]
    bob.save()
    grow("P(A?)", lang="en")
    grow("P(A A)", lang="de", state=TreeState.RANKING)

    waiting = {row.lang: row for row in sign_in(bob).get("/dashboard/").context["waiting"]}

    assert (waiting["en"].review, waiting["en"].rank) == (3, 0)
    assert (waiting["de"].review, waiting["de"].rank) == (0, 3)


def test_the_dashboard_takes_the_same_queries_for_more_rows(web: Client) -> None:
    few = _fill(1) or queries(web, "/dashboard/")
    _fill(2)

    assert queries(web, "/dashboard/") == few


def _fill(times: int) -> None:
    for _ in range(times):
        grow("P(A-)", author=alice())
        given.task(alice(), K.ASSISTANT_REPLY, grow("P").root)


def test_tasks_are_listed_by_what_one_does(web: Client) -> None:
    grow("P(A? A?)")

    page = web.get("/tasks/")

    sections = {group["section"]: group["kinds"] for group in page.context["sections"]}
    assert [len(kinds) for kinds in sections.values()] == [3, 3, 2]
    counts = {entry["kind"].code: entry["count"] for entry in sections["review"]}
    assert counts == {
        "label_initial_prompt": 0,
        "label_prompter_reply": 0,
        "label_assistant_reply": 2,
    }


def test_prompter_rankings_are_listed_only_if_they_exist(web: Client) -> None:
    config.change("rank_prompter_replies", True, actor=None, reason="x", now=timezone.now())

    assert "/tasks/rank_prompter_replies/next/" in web.get("/tasks/").text


def test_tasks_can_be_listed_for_one_language(sign_in: SignIn, bob: User) -> None:
    bob.contribution_languages = ["en", "de"]
    bob.save()
    grow("P(A?)", lang="de")
    web = sign_in(bob)

    german, english = web.get("/tasks/?lang=de"), web.get("/tasks/?lang=en")

    assert "/tasks/label_assistant_reply/next/?lang=de" in german.text
    assert german.context["lang"] == "de"
    assert english.context["total"] < german.context["total"]


@pytest.mark.parametrize("lang", ["fr", "%00", "x" * 3000])
def test_a_language_nobody_chose_lists_all(web: Client, lang: str) -> None:
    page = web.get(f"/tasks/?lang={lang}")

    assert page.status_code == 200
    assert page.context["lang"] == ""


def test_the_list_of_tasks_takes_the_same_queries_for_more_rows(web: Client) -> None:
    few = _fill(1) or queries(web, "/tasks/")
    _fill(2)

    assert queries(web, "/tasks/") == few


@pytest.mark.parametrize("url", ["/dashboard/", "/tasks/"])
def test_more_languages_take_no_more_queries(web: Client, alice: User, url: str) -> None:
    grow("P(A?)")
    few = queries(web, url)
    User.objects.filter(pk=alice.pk).update(contribution_languages=["en", "de", "fr", "es"])

    assert queries(web, url) == few
