"""Searching one's own chats: by the rules of their language, and never anybody else's."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chat_app import conversations, jobs, search, search_filling
from chat_app.enums import Hold
from chat_app.models import Chat, ChatMessage
from oasst.accounts.models import User
from oasst.lib import detection
from oasst.lib.search.marks import Piece
from tests.chat_app import given

pytestmark = pytest.mark.django_db

HOUSES = "Wie pflege ich alte Häuser auf dem Land am besten?"


def found(user: User, words: str) -> list[str]:
    """The titles of what a person finds, newest first."""
    return [chat.title for chat in search.search(user, words).chats()]


def passage(user: User, words: str) -> str:
    """The passage of the only chat that is found, with marks as brackets."""
    looked_for = search.search(user, words)
    chats = list(looked_for.chats())
    (shown,) = looked_for.shown(chats).values()
    return "".join(f"[{each.text}]" if each.is_marked else each.text for each in shown.passage)


def named(user: User, title: str, *texts: str) -> Chat:
    """A chat with a title that says nothing of its texts."""
    chat, _messages = given.thread(user, *texts)
    conversations.rename(chat, title)
    return chat


@pytest.mark.parametrize(
    ("said", "asked", "marked"),
    [
        (HOUSES, "haus", "Häuser"),
        ("Расскажи мне подробно о самых интересных книгах", "книга", "книгах"),
        ("My neighbours were baking loaves of bread yesterday", "bake loaf OR loaves", "baking"),
        ("ما هي أفضل الكتب التي يمكن قراءتها هذا العام؟", "كتب", "الكتب"),
        ("我想学习机器学习，从哪里开始比较好呢？", "机器学习", "机器学习"),
        ("東京で美味しいラーメンを食べたいです。", "ラーメン", "ラーメン"),
        ("Über den Wolken muss die Freiheit wohl grenzenlos sein", "über", "Über"),
        ("To be, or not to be, that is the question here", '"not to be"', "not"),
    ],
)
def test_words_are_found_by_the_rules_of_the_chats_language(
    alice: User, said: str, asked: str, marked: str
) -> None:
    named(alice, "It", said)

    assert found(alice, asked) == ["It"]
    assert f"[{marked}]" in passage(alice, asked)


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("I saw the Häuser sign above the door of the old inn", "haus"),
        ("学生在学，习惯很好，大家都说他是好学生", "学习"),
        ("The bread of rye is what I would like to bake", '"rye bread"'),
    ],
)
def test_what_is_not_said_is_not_found(alice: User, said: str, asked: str) -> None:
    named(alice, "It", said)

    assert found(alice, asked) == []


def test_all_words_are_somewhere_in_a_chat_and_none_with_a_minus(alice: User) -> None:
    named(alice, "Tides", "Tell me about tides and the sea.", "The Moon pulls the water.")
    named(alice, "Bread", "Tell me about bread and flour.", "The Moon has no part in it.")

    assert sorted(found(alice, "moon tell")) == ["Bread", "Tides"]
    assert found(alice, "moon -flour") == ["Tides"]
    assert found(alice, "flour OR sea -tides") == ["Bread"]
    assert found(alice, "-moon") == []
    assert found(alice, "moon nowhere") == []


def test_a_minus_looks_at_whole_words_of_titles(alice: User) -> None:
    named(alice, "Starting a garden", "Where do I begin with the vegetables?")
    named(alice, "Art and craft", "Where do I begin with the watercolours?")

    assert found(alice, "begin -art") == ["Starting a garden"]
    assert sorted(found(alice, "art")) == ["Art and craft", "Starting a garden"]


def test_the_passage_says_all_of_it_if_one_message_does(alice: User) -> None:
    texts = ("The moon is far away from here.", "Yes.", "So the moon pulls at the sea?")
    named(alice, "It", *texts)

    assert passage(alice, "moon pull") == "So the [moon] [pulls] at the sea?"
    assert passage(alice, "moon") == "The [moon] is far away from here."


def test_words_in_the_title_alone_are_found_and_marked(alice: User) -> None:
    chat = named(alice, "Sourdough & more", "How much water do I need?")

    looked_for = search.search(alice, "sourD")

    assert list(looked_for.chats()) == [chat]
    title = [Piece("Sourd", is_marked=True), Piece("ough & more")]
    assert looked_for.shown([chat]) == {chat.pk: search.Shown(title, [])}


def test_nobody_finds_what_others_said(alice: User, bob: User) -> None:
    named(bob, "Whose moon is it?", "Whose moon is it, after all?")

    assert found(alice, "moon") == []
    assert found(alice, f'"of {bob.pk}"') == []
    assert found(alice, f"moon OR {bob.pk}") == []
    assert found(alice, "-nowhere") == []
    assert found(bob, "moon") == ["Whose moon is it?"]


def test_what_is_kept_from_its_reader_and_what_is_deleted_is_not_found(alice: User) -> None:
    held = named(alice, "Held", "Something about the garden", "Words on the moon")
    gone = named(alice, "Gone", "What pulls the sea?", "The moon does.")
    ChatMessage.objects.filter(chat=held, depth=1).update(hold=Hold.HELD)
    conversations.delete(gone)

    assert found(alice, "moon") == []
    assert found(alice, "garden -moon") == ["Held"]


def test_other_words_are_found_at_once_and_those_before_no_more(alice: User) -> None:
    chat = named(alice, "It", "Tell me about the baking of bread, please.")
    ChatMessage.objects.filter(chat=chat).update(text="Singing songs")

    assert found(alice, "song") == ["It"]
    assert found(alice, "bread") == []


@pytest.mark.parametrize(
    "words", ["nowhere ' ) | &", "'of", "!!", '"', "-", "\\' :*", "OR OR", "%"]
)
def test_anything_may_be_typed(alice: User, words: str) -> None:
    named(alice, "It", "Tell me about the moon.")

    assert found(alice, words) in ([], ["It"])


# Languages


def test_a_chat_takes_the_language_of_the_first_prompt_that_tells(alice: User) -> None:
    chat = named(alice, "It", "Haus?", "Alte Bücher?")
    assert chat.lang == "und"

    given.prompt(chat, HOUSES, parent=chat.tail)
    given.prompt(chat, "And the same in English words, if you can, please?")

    assert Chat.objects.get(pk=chat.pk).lang == "de"
    assert found(alice, "buch") == ["It"]


def test_a_language_is_detected_once_a_message_and_no_more_once_known(
    alice: User, monkeypatch: Any
) -> None:
    looked_at: list[str] = []
    detect = detection.detect
    monkeypatch.setattr(detection, "detect", lambda text: looked_at.append(text) or detect(text))
    chat = given.chat(alice)

    for text in ("Haus?", HOUSES, HOUSES):
        given.prompt(chat, text)

    assert looked_at == ["Haus?", HOUSES]


@pytest.fixture
def older(alice: User) -> list[Chat]:
    """Chats with the words and without the language of an earlier release."""
    chats = [named(alice, title, HOUSES) for title in ("One", "Two", "Three")]
    Chat.objects.update(lang=None)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE chat_app_chatmessage SET search_vector = to_tsvector('simple', text)"
        )
    return chats


def test_older_chats_are_found_as_written_until_a_job_has_been_there(
    alice: User, older: list[Chat], monkeypatch: Any
) -> None:
    monkeypatch.setattr(search_filling, "SLICE", 2)
    before = sorted(found(alice, "häuser")), found(alice, "haus")

    jobs.fill_search_words()

    assert before == (["One", "Three", "Two"], [])
    assert sorted(found(alice, "haus")) == ["One", "Three", "Two"]
    assert not Chat.objects.filter(lang=None).exists()


def test_saying_something_settles_an_older_chat(alice: User, older: list[Chat]) -> None:
    given.prompt(older[1], "Und?")

    assert found(alice, "haus") == []
    given.prompt(older[1], HOUSES)
    assert found(alice, "haus") == ["Two"]


def test_a_chat_that_changes_hands_is_found_by_its_new_owner_alone(alice: User, bob: User) -> None:
    chat = named(alice, "It", HOUSES)

    Chat.objects.filter(pk=chat.pk).update(user=bob)

    assert (found(alice, "häuser"), found(bob, "häuser")) == ([], ["It"])
    jobs.fill_search_words()
    assert (found(alice, "haus"), found(bob, "haus")) == ([], ["It"])


def test_the_longest_words_in_two_languages_can_be_stored(alice: User) -> None:
    chat = named(alice, "It", HOUSES)
    rare = "".join(chr(0x20000 + n * 7919 % 42_000) for n in range(50_000))

    ChatMessage.objects.filter(chat=chat).update(text=rare + "x" * 100_000)

    assert found(alice, rare[100:103]) == ["It"]


def test_calls_of_the_api_have_no_words(alice: User) -> None:
    chat = named(alice, "It", HOUSES)
    Chat.objects.filter(pk=chat.pk).update(from_api=True, allow_data_use=False)
    ChatMessage.objects.filter(chat=chat).update(search_vector=None)

    assert [*ChatMessage.objects.values_list("search_vector", flat=True)] == [""]
    assert found(alice, "häuser") == []


# The page


def test_the_page_marks_what_was_found(client: Client, alice: User) -> None:
    named(alice, "If 5 < 6, Haus & Häuser", HOUSES)
    client.force_login(alice)

    page = client.get("/chat/?q=haus").content.decode()

    assert "If 5 &lt; 6, <mark>Haus</mark> &amp; <mark>Häuser</mark>" in page
    assert "Wie pflege ich alte <mark>Häuser</mark> auf dem Land" in page


def test_the_page_says_that_a_search_takes_too_long(
    client: Client, alice: User, monkeypatch: Any
) -> None:
    named(alice, "It", HOUSES)
    client.force_login(alice)
    monkeypatch.setattr(search, "PATIENCE_MS", 20)
    with connection.cursor() as cursor:  # taken back with the test
        cursor.execute(
            """CREATE OR REPLACE FUNCTION tasks_app_search_vector(lang text, given text)
            RETURNS tsvector LANGUAGE plpgsql IMMUTABLE STRICT AS
            'BEGIN PERFORM pg_sleep(5); RETURN NULL; END'"""
        )

    response = client.get("/chat/?q=haus -moon")

    assert response.status_code == 503
    assert "takes too long" in response.text


def test_a_search_takes_the_same_queries_for_one_chat_and_for_three(alice: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            looked_for = search.search(alice, "haus")
            looked_for.shown(list(looked_for.chats()))
        return len(captured)

    named(alice, "One", HOUSES)
    one = queries()
    named(alice, "Two", HOUSES)
    named(alice, "Three", HOUSES)

    assert queries() == one == 6
