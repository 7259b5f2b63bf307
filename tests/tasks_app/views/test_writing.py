"""The page on which a message is written: nothing is lost, and every no is explained."""

from datetime import timedelta
from urllib.parse import quote_plus

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import interactions, moderation
from tasks_app.enums import TaskType
from tasks_app.models import Draft, Message, Task
from tests.factories import grow
from tests.sessions import SignIn
from tests.tasks_app.views import given

pytestmark = pytest.mark.django_db

K = TaskType
JSON = {"Accept": "application/json"}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def task(alice: User) -> Task:
    """A reply that Alice is to write."""
    return given.task(alice, K.ASSISTANT_REPLY, grow("P(A(P))")[2])


def test_page_shows_the_thread_and_the_form(web: Client, task: Task) -> None:
    page = web.get(given.url(task))

    assert page.status_code == 200
    for message in Message.objects.all():
        assert message.text in page.text
    assert 'name="text"' in page.text
    assert "Kept for you" in page.text


def test_submit_stores_the_message_and_goes_on(web: Client, task: Task) -> None:
    response = web.post(given.url(task), {"text": "One\r\ntwo"})

    assert response.status_code == 302
    assert response["Location"] == "/tasks/assistant_reply/next/"
    written = Message.objects.get(user=task.user)
    assert (written.text, written.provenance) == ("One\ntwo", "")


def test_submit_stays_with_what_was_asked_for_last(web: Client) -> None:
    grow("P")
    location = web.get("/tasks/random/next/?lang=en")["Location"]

    response = web.post(location, {"text": "An answer"})

    assert response["Location"] == "/tasks/random/next/?lang=en"


@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        ({"origin": "own"}, "own"),
        ({"origin": "adapted", "source": "my own blog"}, "adapted: my own blog"),
        ({"source": "left over"}, ""),
    ],
)
def test_submit_stores_where_the_words_come_from(
    web: Client, task: Task, fields: dict[str, str], stored: str
) -> None:
    web.post(given.url(task), {"text": "An answer", **fields})

    assert Message.objects.get(user=task.user).provenance == stored


def test_submit_of_adapted_text_needs_its_source(web: Client, task: Task) -> None:
    page = web.post(given.url(task), {"text": "An answer", "origin": "adapted"})

    assert page.status_code == 422
    assert "Please name what you built on" in page.text
    assert "An answer" in page.text
    assert not Message.objects.filter(user=task.user).exists()


def test_submit_twice_has_one_effect(web: Client, task: Task) -> None:
    first = web.post(given.url(task), {"text": "An answer"})
    second = web.post(given.url(task), {"text": "An answer"})

    assert (first.status_code, first["Location"]) == (second.status_code, second["Location"])
    assert Message.objects.filter(user=task.user).count() == 1


def test_submit_of_something_else_shows_both(web: Client, task: Task) -> None:
    web.post(given.url(task), {"text": "The first answer"})

    page = web.post(given.url(task), {"text": "The second answer"})

    assert page.status_code == 409
    assert "The first answer" in page.text
    assert "The second answer" in page.text
    assert Message.objects.get(user=task.user).text == "The first answer"


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("", 400, "Your text is empty"),
        (" \n\u2003 ", 400, "Your text is empty"),
        ("x" * 2001, 400, "at most 2000"),
        ("NUL\x00here", 422, "characters that cannot be stored"),
        ("y" * 1_000_000, 400, "at most 2000"),
    ],
)
def test_text_that_cannot_be_stored_stays_on_the_page(
    web: Client, task: Task, text: str, status: int, words: str
) -> None:
    page = web.post(given.url(task), {"text": text})

    assert page.status_code == status
    assert words in page.text
    assert text.strip()[:50] in page.text
    assert not Message.objects.filter(user=task.user).exists()


@pytest.mark.parametrize(
    "text",
    [
        "\u202egnitirw",
        "a\u0301" * 900,
        "👩‍👩‍👧‍👦 \U0001f9e0",
        "> " * 900 + "deep",
        "<script>alert(1)</script><svg onload=alert(1)>",
        "[x](javascript:alert(1)) ![x](https://example.org/beacon.png)",
        "{{ settings.SECRET_KEY }} {% now %}",
    ],
)
def test_strange_text_is_stored_as_it_is_and_shown_harmless(
    web: Client, task: Task, text: str
) -> None:
    assert web.post(given.url(task), {"text": text}).status_code == 302

    stored = Message.objects.get(user=task.user)
    page = web.get(f"/messages/{stored.pk}/")
    assert stored.text == text.strip()
    assert page.status_code == 200
    for harm in ("<script>alert", "<svg onload", 'href="javascript', 'src="https://example'):
        assert harm not in page.text


def test_bytes_that_are_no_text_are_replaced(web: Client, task: Task) -> None:
    body = "text=half" + "%ED%A0%80" + quote_plus(" pair")

    response = web.post(given.url(task), body, content_type="application/x-www-form-urlencoded")

    assert response.status_code == 302
    assert "\ufffd" in Message.objects.get(user=task.user).text


def test_a_body_beyond_all_bounds_is_refused(web: Client, task: Task) -> None:
    assert web.post(given.url(task), {"text": "x" * 3_000_000}).status_code in {400, 413, 422}
    assert not Message.objects.filter(user=task.user).exists()


def test_a_text_just_sent_is_refused_and_kept(web: Client, task: Task, alice: User) -> None:
    web.post(given.url(task), {"text": "An answer"})
    other = given.task(alice, K.ASSISTANT_REPLY, grow("P").root)

    page = web.post(given.url(other), {"text": "An answer"})

    assert page.status_code == 400
    assert "exactly this text" in page.text
    assert Draft.objects.get(task=other).body["text"] == "An answer"


def test_a_place_that_is_gone_keeps_the_text(web: Client, alice: User, bob: User) -> None:
    prompt = grow("P", max_children_count=1).root
    task = given.task(alice, K.ASSISTANT_REPLY, prompt)
    Task.objects.update(reserved_until=timezone.now() - timedelta(hours=1))
    interactions.release_expired(now=timezone.now())
    given.task(bob, K.ASSISTANT_REPLY, prompt)

    assert "Somebody else has taken this place" in web.get(given.url(task)).text
    page = web.post(given.url(task), {"text": "A late answer"})

    assert page.status_code == 409
    assert "A late answer" in page.text
    assert Draft.objects.get(task=task).kept_because == "slot_taken"
    assert "A late answer" in web.get(given.url(task)).text


def test_an_expired_task_gives_the_text_back(web: Client, task: Task, alice: User) -> None:
    interactions.save_draft(task.pk, alice, {"text": "Half an answer"}, now=timezone.now())
    Task.objects.update(expires_at=timezone.now() - timedelta(minutes=1))

    page = web.get(given.url(task))

    assert page.status_code == 200
    assert "Half an answer" in page.text
    assert given.url(task, action="reclaim") in page.text


def test_a_task_whose_thread_was_removed_ends(web: Client, task: Task, mona: User) -> None:
    moderation.delete_message(task.message_id, actor=mona, reason="spam", now=timezone.now())

    page = web.get(given.url(task))

    assert "This task is over" in page.text
    assert task.message.text not in page.text
    assert web.post(given.url(task, action="skip")).status_code == 302


def test_a_done_task_shows_what_is_stored(web: Client, task: Task) -> None:
    web.post(given.url(task), {"text": "An answer"})

    page = web.get(given.url(task))

    assert page.status_code == 200
    assert "You have done this task" in page.text
    assert "An answer" in page.text
    assert 'id="task-form"' not in page.text


# Drafts


def test_a_draft_is_saved_and_comes_back(web: Client, task: Task) -> None:
    saved = web.post(
        given.url(task, action="draft"),
        {"text": "Half\r\nan answer\x00", "origin": "own", "foreign": "x"},
        headers=JSON,
    )

    assert saved.status_code == 200
    assert set(saved.json()) == {"saved_at"}
    body = Draft.objects.get(task=task).body
    assert body == {"text": "Half\nan answer\ufffd", "origin": "own"}
    page = web.get(given.url(task))
    assert "Half\nan answer" in page.text
    assert "Draft saved" in page.text


def test_a_draft_is_saved_without_scripts(web: Client, task: Task) -> None:
    response = web.post(given.url(task, action="draft"), {"text": "Half an answer"})

    assert response["Location"] == given.url(task)
    assert Draft.objects.get(task=task).body == {"text": "Half an answer"}


def test_a_draft_after_the_submit_is_refused(web: Client, task: Task) -> None:
    web.post(given.url(task), {"text": "An answer"})

    response = web.post(given.url(task, action="draft"), {"text": "Late"}, headers=JSON)

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "already_submitted"


# Preview


def test_preview_renders_the_text_as_readers_will_see_it(web: Client, task: Task) -> None:
    page = web.post(given.url(task, action="preview"), {"text": "**Strong**"}, headers=HTMX)

    assert page.status_code == 200
    assert "<strong>Strong</strong>" in page.text
    assert "<html" not in page.text
    assert not Message.objects.filter(user=task.user).exists()


def test_preview_without_scripts_keeps_the_form(web: Client, task: Task) -> None:
    page = web.post(given.url(task, action="preview"), {"text": "**Strong**", "origin": "own"})

    assert "<strong>Strong</strong>" in page.text
    assert "**Strong**</textarea>" in page.text


def test_preview_warns_of_another_language_but_submit_goes_through(web: Client, task: Task) -> None:
    text = "Das ist ganz sicher ein deutscher Satz und keine englische Antwort auf die Frage."

    hint = web.post(given.url(task, action="preview"), {"text": text}, headers=HTMX)

    assert "reads like Deutsch" in hint.text
    assert web.post(given.url(task), {"text": text}).status_code == 302
    assert Message.objects.get(user=task.user).detected_lang == "de"


# Holding the place, skipping


def test_heartbeat_holds_the_place(web: Client, task: Task) -> None:
    soon = timezone.now() + timedelta(minutes=1)
    Task.objects.update(reserved_until=soon)

    response = web.post(given.url(task, action="heartbeat"), headers=JSON)

    task.refresh_from_db()
    assert response.json() == {"reserved_until": task.reserved_until.isoformat()}
    assert task.reserved_until > soon


def test_heartbeat_for_a_place_that_is_gone_says_so(web: Client, alice: User, bob: User) -> None:
    prompt = grow("P", max_children_count=1).root
    task = given.task(alice, K.ASSISTANT_REPLY, prompt)
    Task.objects.update(reserved_until=timezone.now() - timedelta(hours=1))
    interactions.release_expired(now=timezone.now())
    given.task(bob, K.ASSISTANT_REPLY, prompt)

    response = web.post(given.url(task, action="heartbeat"), headers=JSON)

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "slot_taken"


def test_skip_gives_the_task_back_with_the_reason(web: Client, task: Task) -> None:
    fields = {"reason": "subject", "note": "never heard of it"}

    response = web.post(given.url(task, action="skip"), fields)

    task.refresh_from_db()
    assert response["Location"] == "/tasks/assistant_reply/next/"
    assert task.skip_reason == "subject: never heard of it"
    assert "You have skipped this task" in web.get(given.url(task)).text


@pytest.mark.parametrize(
    "fields", [{"reason": "nonsense"}, {"note": "x\x00"}, {"note": "x" * 9999}]
)
def test_skip_with_a_strange_reason_still_skips(
    web: Client, task: Task, fields: dict[str, str]
) -> None:
    assert web.post(given.url(task, action="skip"), fields).status_code == 302

    task.refresh_from_db()
    assert (task.skip_reason, task.is_open) == ("", False)


def test_skip_of_a_done_task_changes_nothing(web: Client, task: Task) -> None:
    web.post(given.url(task), {"text": "An answer"})

    response = web.post(given.url(task, action="skip"))

    task.refresh_from_db()
    assert response.status_code == 409
    assert task.skipped_at is None


def test_a_prompt_needs_no_thread(sign_in: SignIn, bob: User) -> None:
    task = given.task(bob, K.INITIAL_PROMPT)
    web = sign_in(bob)

    assert "Kept for you" not in web.get(given.url(task)).text
    web.post(given.url(task), {"text": "How do I bake bread?"})

    assert Message.objects.get(user=bob).is_root
