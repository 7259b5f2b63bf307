"""Pages of the chat take the same number of queries however much they show."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.db.models.signals import post_init
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chat_app import catalogue, conversations, reading, replies
from chat_app.models import ChatMessage
from oasst.accounts.models import User
from tests.chat_app import given
from tests.factories import NOW

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def queries(web: Client, url: str) -> int:
    web.get(url)
    with CaptureQueriesContext(connection) as captured:
        assert web.get(url).status_code == 200
    return len(captured)


@pytest.mark.parametrize("url", ["/chat/", "/chat/?q=tide", "/models/", "/chat/settings/"])
def test_lists(web: Client, alice: User, url: str) -> None:
    def add(name: str) -> None:
        chat, _messages = given.thread(alice, f"tide {name}", model=given.served(name))
        given.worker(chat.model)
        preset = {"temperature": 1.0}
        catalogue.keep_preset(alice, name, preset, now=NOW)

    add("first")
    one = queries(web, url)
    for name in ("second", "third"):
        add(name)

    assert queries(web, url) == one <= 12


def test_thread_with_votes_workers_and_branches(web: Client, alice: User) -> None:
    def measure(rounds: int) -> int:
        chat, messages = given.thread(alice, *["one", "two"] * rounds)
        for message in messages[1::2]:
            message.worker = given.worker()
            message.save()
            conversations.vote(message, 1, now=NOW)
        given.prompt(chat, "a branch")
        conversations.show(chat, messages[-1])
        return queries(web, f"/chat/{chat.pk}/")

    assert measure(3) == measure(1) <= 14


def test_thread_with_drafts_that_wait(web: Client, alice: User) -> None:
    def measure(drafts: int) -> int:
        chat = given.chat(alice)
        replies.request(given.prompt(chat), count=drafts, now=NOW)
        return queries(web, f"/chat/{chat.pk}/")

    assert measure(3) == measure(1) <= 17


def test_search_vectors_stay_in_the_database(web: Client, alice: User) -> None:
    chat, _messages = given.thread(alice)

    with CaptureQueriesContext(connection) as captured:
        web.get(f"/chat/{chat.pk}/")

    assert not any("search_vector" in query["sql"] for query in captured)


def test_texts_that_are_not_shown_stay_in_the_database(alice: User, monkeypatch: Any) -> None:
    monkeypatch.setattr(reading, "WINDOW", 2)
    chat, messages = given.thread(alice, "one", "two", "three", "four")
    loaded: list[str] = []

    with reads_of(ChatMessage, loaded):
        shown = reading.thread(chat, now=NOW)

    assert [entry.message for entry in shown.entries] == messages[2:]
    assert sorted(loaded) == ["four", "three"]


@contextmanager
def reads_of(model: type[Model], loaded: list[str]) -> Iterator[None]:
    """Note the text of every row of `model` that is read with it."""

    def note(instance: Any, **_signal: Any) -> None:
        if "text" in instance.__dict__:
            loaded.append(instance.text)

    post_init.connect(note, sender=model)
    try:
        yield
    finally:
        post_init.disconnect(note, sender=model)
