"""The list of chats, a new one, the thread, and sending a prompt by a plain form."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from chat_app import conversations, reading, search
from chat_app.enums import MessageState
from chat_app.models import Chat, ChatMessage
from oasst.accounts.models import User
from tests.chat_app import given
from tests.factories import NOW
from tests.sessions import HTMX, SignIn

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def titles(web: Client, url: str) -> list[str]:
    page = web.get(url)
    assert page.status_code == 200
    return [chat.title for day in page.context["days"] for chat in day.chats]


# A new chat


def test_first_message_begins_a_chat_and_asks_for_a_reply(web: Client, alice: User) -> None:
    model = given.served()

    response = web.post("/chat/", {"text": "How do tides work?"})

    chat = Chat.objects.get(user=alice)
    prompt, reply = chat.messages.order_by("depth")
    assert response["Location"] == f"/chat/{chat.pk}/"
    assert (chat.title, chat.model) == ("How do tides work?", model)
    assert (prompt.text, reply.state) == ("How do tides work?", MessageState.QUEUED)


def test_first_message_goes_to_the_chosen_model(web: Client) -> None:
    given.served()
    other = given.served("other")

    web.post("/chat/", {"text": "Hello", "model": "other"})

    assert Chat.objects.get().model == other


def test_first_message_sent_twice_begins_one_chat(web: Client) -> None:
    given.served()
    sent = {"text": "Hello", "key": str(uuid.uuid4()), "private": "on"}

    first, second = web.post("/chat/", sent), web.post("/chat/", sent)

    chat = Chat.objects.get()
    assert first["Location"] == second["Location"] == f"/chat/{chat.pk}/"
    assert (chat.messages.count(), chat.allow_data_use) == (2, False)


def test_other_words_from_a_page_gone_back_to_begin_another_chat(web: Client) -> None:
    given.served()
    key = str(uuid.uuid4())

    for text in ("Hello", "Something else"):
        web.post("/chat/", {"text": text, "key": key})

    assert set(Chat.objects.values_list("title", flat=True)) == {"Hello", "Something else"}


def test_first_message_sent_twice_at_once_begins_one_chat(
    transactional_db: None, sign_in: SignIn, alice: User
) -> None:
    given.served()
    sent = {"text": "Hello", "key": str(uuid.uuid4())}

    def send(web: Client) -> int:
        try:
            return web.post("/chat/", sent).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        codes = list(threads.map(send, [sign_in(alice) for _ in range(4)]))

    assert codes == [302] * 4
    assert (Chat.objects.count(), ChatMessage.objects.count()) == (1, 2)


def test_empty_first_message_leaves_no_chat_behind(web: Client) -> None:
    given.served()

    response = web.post("/chat/", {"text": "  "})

    assert response.status_code == 422
    assert "Write a message first" in response.content.decode()
    assert not Chat.objects.exists()


def test_first_message_without_a_model_is_kept_in_the_form(web: Client) -> None:
    response = web.post("/chat/", {"text": "My long question"})

    assert response.status_code == 422
    assert "My long question" in response.content.decode()
    assert not Chat.objects.exists()


# One chat


def test_chat_shows_its_thread_and_says_where_the_next_prompt_goes(
    web: Client, alice: User
) -> None:
    chat, (_prompt, reply) = given.thread(alice, "Why is the sky **blue**?", "Because.")

    page = web.get(f"/chat/{chat.pk}/").content.decode()

    assert "<strong>blue</strong>" in page
    assert f'name="parent" form="say" value="{reply.pk}"' in page
    assert "http-equiv" not in page


def test_chat_of_somebody_else_does_not_exist(web: Client, bob: User) -> None:
    chat, _messages = given.thread(bob)

    assert web.get(f"/chat/{chat.pk}/").status_code == 404


def test_page_without_scripts_loads_again_while_a_reply_is_written(
    web: Client, alice: User
) -> None:
    (reply,) = given.waiting(alice)

    page = web.get(f"/chat/{reply.chat_id}/").content.decode()

    assert '<noscript><meta http-equiv="refresh"' in page
    assert 'name="parent"' not in page


def test_waiting_reply_says_its_place_and_that_nobody_writes(web: Client, alice: User) -> None:
    first, second = given.waiting(alice, 2)
    url = f"/chat/{second.chat_id}/"

    lonely = web.get(url).content.decode()
    given.worker(first.model)
    attended = web.get(url).content.decode()

    assert "No worker runs this model" in lonely
    assert "Waiting: place 2 of 2" in attended
    assert "Waiting: place 2 of 2" not in lonely


def test_earlier_messages_of_a_long_chat_come_when_asked_for(web: Client, alice: User) -> None:
    texts = [f"message {number}" for number in range(reading.WINDOW + 6)]
    chat, messages = given.thread(alice, *texts)

    thread = web.get(f"/chat/{chat.pk}/").context["thread"]
    older = web.get(f"/chat/{chat.pk}/", {"before": thread.before.pk}, headers=HTMX)

    assert [entry.message for entry in thread.entries] == messages[6:]
    assert [entry.message for entry in older.context["thread"].entries] == messages[:6]
    assert "<html" not in older.content.decode()


def test_script_that_has_earlier_messages_keeps_them_in_step(web: Client, alice: User) -> None:
    texts = [f"message {number}" for number in range(reading.WINDOW + 6)]
    chat, messages = given.thread(alice, *texts)
    url = f"/chat/{chat.pk}/"

    kept = web.get(url, {"since": messages[2].pk}, headers=HTMX)
    gone = web.get(url, {"since": uuid.uuid4()}, headers=HTMX)

    assert kept.context["thread"].entries[0].message == messages[2]
    assert gone["HX-Redirect"] == url


# Saying something


def test_prompt_by_a_form_is_stored_and_answered(
    web: Client,
    alice: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    chat, (_prompt, reply) = given.thread(alice)

    with django_capture_on_commit_callbacks(execute=True):
        response = web.post(f"/chat/{chat.pk}/say/", {"text": "And at night?", "parent": reply.pk})

    said = ChatMessage.objects.get(text="And at night?")
    answer = said.children.get()
    assert response["Location"] == f"/chat/{chat.pk}/#m-{answer.pk}"
    assert (said.parent, answer.state) == (reply, MessageState.QUEUED)


def test_prompt_sent_twice_with_one_key_is_said_once(web: Client, alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice)
    sent = {"text": "And at night?", "parent": reply.pk, "key": uuid.uuid4()}

    for _ in range(2):
        assert web.post(f"/chat/{chat.pk}/say/", sent).status_code == 302

    assert ChatMessage.objects.get(text="And at night?").children.count() == 1


def test_refused_prompt_comes_back_in_the_form_with_the_reason(
    web: Client, alice: User, settings: Settings
) -> None:
    settings.CHAT_MAX_TEXT_LENGTH = 10
    chat, (_prompt, reply) = given.thread(given.chat(alice).user, "short", "ok")

    sent = {"text": "Much too long a text", "parent": reply.pk}
    response = web.post(f"/chat/{chat.pk}/say/", sent)

    page = response.content.decode()
    assert response.status_code == 422
    assert "Much too long a text" in page
    assert "too long. Shorten it" in page
    assert chat.messages.count() == 2


def test_refused_prompt_leaves_the_page_of_a_script_alone(web: Client, alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice)

    response = web.post(f"/chat/{chat.pk}/say/", {"text": "", "parent": reply.pk}, headers=HTMX)

    assert (response.status_code, response.content) == (422, b"")
    assert response["HX-Reswap"] == "none"
    assert "Write a message first" in response["HX-Trigger"]


def test_prompt_without_a_place_does_not_begin_a_branch_by_accident(
    web: Client, alice: User
) -> None:
    chat, _messages = given.thread(alice)

    response = web.post(f"/chat/{chat.pk}/say/", {"text": "Hello"})

    assert response.status_code == 422
    assert "Pick one of the answers first" in response.content.decode()
    assert chat.messages.count() == 2


def test_full_queue_keeps_the_prompt_and_offers_to_ask_again(
    web: Client, alice: User, settings: Settings
) -> None:
    settings.CHAT_WAITING_PER_USER = 0
    chat, (_prompt, reply) = given.thread(alice)

    sent = {"text": "And at night?", "parent": reply.pk}
    page = web.post(f"/chat/{chat.pk}/say/", sent, follow=True).content.decode()

    assert "several replies waiting" in page
    assert "Ask for a reply" in page
    assert chat.messages.filter(text="And at night?").exists()


def test_muted_person_reads_on_and_says_nothing_new(web: Client, alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice)
    User.objects.filter(pk=alice.pk).update(muted_until=timezone.now() + timedelta(days=1))

    response = web.post(f"/chat/{chat.pk}/say/", {"text": "Hello", "parent": reply.pk})

    assert "muted your account" in response.content.decode()
    assert web.get(f"/chat/{chat.pk}/").status_code == 200
    assert chat.messages.count() == 2


# Lists


def test_search_finds_words_in_titles_and_messages_of_ones_own_chats(
    web: Client, alice: User, bob: User
) -> None:
    given.thread(alice, "How do tides work?", "The Moon pulls.")
    given.thread(alice, "Sourdough")
    given.thread(bob, "Whose moon is it?")

    assert titles(web, "/chat/?q=moon") == ["How do tides work?"]
    assert titles(web, "/chat/?q=sourd") == ["Sourdough"]
    assert titles(web, "/chat/?q=lighthouse") == []


def test_found_chat_shows_where_the_words_stand(web: Client, alice: User) -> None:
    text = "Long before. " * 30 + "If 5 < 6 & so on, the Moon pulls. " + "Long after. " * 30
    given.thread(alice, "How do tides work?", text)
    given.thread(alice, "Moon and sun", "Held words on the moon")
    ChatMessage.objects.filter(text__startswith="Held").update(hold="held")

    page = web.get("/chat/?q=moon").content.decode()

    assert "5 &lt; 6 &amp; so on, the <mark>Moon</mark> pulls." in page
    assert "<mark>Moon</mark> and sun" in page
    assert "Held words" not in page
    assert page.count("Long before.") < 10


def test_archived_chats_stand_in_the_archive_only(web: Client, alice: User) -> None:
    kept, _messages = given.thread(alice, "Kept")
    away, _messages = given.thread(alice, "Away")
    conversations.archive(away, True)

    sidebar = web.get("/chat/").context["sidebar"]

    assert [chat for day in sidebar for chat in day.chats] == [kept]
    assert titles(web, "/chat/?archived=on") == ["Away"]


def test_long_list_goes_on_on_the_next_page(web: Client, alice: User) -> None:
    for number in range(search.PAGE_SIZE + 2):
        given.thread(alice, f"tide {number}", now=NOW + timedelta(minutes=number))

    first, older = titles(web, "/chat/?q=tide"), web.get("/chat/?q=tide").context["next_url"]
    given.thread(alice, "tide of now", now=NOW + timedelta(days=1))

    assert (len(first), titles(web, f"/chat/{older}")) == (
        search.PAGE_SIZE,
        ["Tide 1", "Tide 0"],
    )
    assert web.get(f"/chat/{older}").context["newest_url"] == "?q=tide"
    assert web.get("/chat/?q=tide").context["newest_url"] == ""
