"""Pages of the chat take the same number of queries however much they show."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chat_app import catalogue, conversations, replies
from oasst.accounts.models import User
from tests.chat_app import given
from tests.factories import NOW

pytestmark = pytest.mark.django_db


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
