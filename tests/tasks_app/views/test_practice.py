"""Practice without an account, the credit for it, and the hints on a first task."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from oasst.accounts.models import EmailCode, OpenSession, User
from tasks_app import first_steps, gold_items, practice
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import GoldAnswer, Message, Task, TextLabels
from tests.factories import GOOD, NOW, grow
from tests.hostile import CANARY, TAG, check
from tests.sessions import signed_in
from tests.tasks_app.views import given

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

SPAM_PAGE = "/practice/en-interview/"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()


def keep_url(page: object) -> str:
    return page.context["keep_url"]


def test_home_has_an_item_in_the_browsers_language_and_begins_no_session(client: Client) -> None:
    page = client.get("/", headers={"accept-language": "de-AT,en;q=0.5"})

    assert page.context["item"].lang == "de"
    assert 'action="/practice/de-brot/"' in page.text
    assert 'lang="de"' in page.text
    assert settings.SESSION_COOKIE_NAME not in page.cookies


def test_an_answer_is_met_with_the_reason_and_is_stored_nowhere(client: Client) -> None:
    right = client.get(SPAM_PAGE, {"answer": "yes"})
    wrong = client.get(SPAM_PAGE, {"answer": "no"})

    assert "We see it the same way" in right.text
    assert "We see this one differently" in wrong.text
    for page in (right, wrong):
        assert practice.find("en-interview").why.split(":")[0].strip() in page.text
    assert not OpenSession.objects.exists()
    assert not TextLabels.objects.exists()
    assert not GoldAnswer.objects.exists()


def test_an_answer_stays_with_its_browser_and_for_seconds(client: Client) -> None:
    page = client.get(SPAM_PAGE, {"answer": "yes"})

    assert page.headers["Cache-Control"] == "private, max-age=10"
    assert {"Cookie", "Accept-Language"} <= set(page.headers["Vary"].split(", "))


@pytest.mark.parametrize("query", ["", "?answer=", "?answer=perhaps", "?done=x&lang=xx"])
def test_without_an_answer_the_item_is_asked_again(client: Client, query: str) -> None:
    page = client.get(f"{SPAM_PAGE}{query}")

    assert page.status_code == 200
    assert "Yes, it is spam" in page.text
    assert "We see" not in page.text


def test_an_item_that_is_not_there_is_not_found(client: Client) -> None:
    assert client.get("/practice/no-such/").status_code == 404


def test_items_come_one_after_the_other_until_there_are_no_more(client: Client) -> None:
    page, seen = client.get("/practice/", {"lang": "fr"}), []
    while item := page.context["item"]:
        seen.append(item.id)
        answered = client.get(
            f"/practice/{item.id}/", {"answer": "no", "done": page.context.get("done", "")}
        )
        page = client.get("/practice/", {"lang": "fr", "done": answered.context["done"]})

    assert seen == [item.id for item in practice._of("fr")]
    assert keep_url(page) in page.text.replace("&amp;", "&")


def test_asking_for_the_mail_remembers_the_practice_for_any_browser(client: Client) -> None:
    page = client.get(SPAM_PAGE, {"answer": "yes"})
    client.post("/accounts/login/", {"email": "new@example.org", "next": keep_url(page)})

    next_url = EmailCode.objects.get().next_url
    assert next_url == keep_url(page)
    assert practice.read(parse_qs(urlsplit(next_url).query)["done"][0]) == ["en-interview"]


def test_practice_is_credited_once_and_leads_to_the_shortest_real_task(
    client: Client, web: Client, alice: User
) -> None:
    grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
    url = keep_url(client.get(SPAM_PAGE, {"answer": "no"}))

    assert web.get(url)["Location"] == "/tasks/label_initial_prompt/next/"
    kept = alice.first_steps.practised_at
    web.get(url)

    alice.refresh_from_db()
    assert alice.first_steps.practised_at == kept
    page = web.get("/dashboard/")
    assert page.context["has_practised"] is True
    assert "You judged one before you had an account." in page.text
    assert not alice.contributions.exists()
    assert Message.objects.get().review_count == 0


@pytest.mark.parametrize("done", ["", "made-up", "WyJhIl0:1abcde:xyz"])
def test_what_we_did_not_sign_credits_nothing_and_is_no_dead_end(
    web: Client, alice: User, done: str
) -> None:
    assert web.get("/practice/keep/", {"done": done})["Location"] == "/tasks/initial_prompt/next/"
    assert not first_steps.has_practised(alice)


def test_words_of_a_message_that_visitors_see_stay_words(client: Client, mona: User) -> None:
    message = grow("P(A)")[1]
    Message.objects.filter(pk=message.pk).update(text=f"canary {TAG}")
    gold_items.make(
        message.pk, GOOD, explanation=f"canary {TAG}", for_practice=True, actor=mona, now=NOW
    )

    for path in ("/", f"/practice/{message.pk}/", f"/practice/{message.pk}/?answer=no"):
        page = client.get(path)
        assert CANARY in page.text
        check(page)


def test_moderators_show_a_gold_item_to_visitors(client: Client, mona: User) -> None:
    message = grow("P(A)")[1]
    assert client.get(f"/practice/{message.pk}/").status_code == 404
    desk = signed_in(mona)
    url = f"/admin/tasks_app/message/{message.pk}/act/make-gold/"

    desk.post(url, {"spam": "0", "explanation": "A real answer.", "for_practice": "on"})

    page = client.get(f"/practice/{message.pk}/", {"answer": "no"})
    assert "A real answer." in page.text
    assert "We see it the same way" in page.text


def test_hints_stand_on_the_first_task_of_a_kind_only(web: Client, alice: User) -> None:
    prompt, other = (grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW).root for _ in range(2))
    first = given.task(alice, TaskType.LABEL_INITIAL_PROMPT, prompt)
    assert "Your first task of this kind" in web.get(given.url(first)).text
    web.post(given.url(first), {"spam": "0"})

    second = given.task(alice, TaskType.LABEL_INITIAL_PROMPT, other)
    writing = given.task(alice, TaskType.INITIAL_PROMPT)

    assert "Your first task of this kind" not in web.get(given.url(second)).text
    assert "Your first task of this kind" in web.get(given.url(writing)).text


def test_hints_that_were_put_away_stay_away_for_that_kind(web: Client, alice: User) -> None:
    task = given.task(alice, TaskType.INITIAL_PROMPT)
    reply = given.task(alice, TaskType.ASSISTANT_REPLY, grow("P").root)

    fragment = web.post("/tasks/initial_prompt/hints/away/", headers={"hx-request": "true"})
    web.post("/tasks/initial_prompt/hints/away/")

    assert "No more hints for this kind" in fragment.text
    assert alice.first_steps.hints_off == ["initial_prompt"]
    assert "Your first task of this kind" not in web.get(given.url(task)).text
    assert "Your first task of this kind" in web.get(given.url(reply)).text
    assert web.post("/tasks/random/hints/away/").status_code == 404
    assert Task.objects.filter(user=alice, done_at=None).count() == 2
