"""The desk's pages of the chat: workers, models, reports; and what nobody gets to see."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat_app import conversations
from chat_app.models import Chat, ChatMessage, ChatReport, ServedModel, Share, Worker
from oasst.accounts.models import User
from tests.chat_app import given
from tests.factories import NOW
from tests.tasks_app.admin.desk import act_on, list_of, page_of

pytestmark = pytest.mark.slow


def reported(user: User) -> ChatReport:
    _chat, (_one, _two, _prompt, reply) = given.thread(
        user, "A private matter", "I see.", "What is two and two?", "Five."
    )
    return conversations.report(reply, user, "wrong", "It is four.", now=NOW)


def test_the_page_of_workers_says_who_writes_and_what_waits(
    administrator: Client, alice: User
) -> None:
    worker = given.worker(
        name="gpu-box:17", tokens_per_s=123.4, running=3, heartbeat_at=timezone.now()
    )
    given.worker(name="old-box:3", heartbeat_at=NOW)
    given.waiting(alice, 2)

    listed = administrator.get(list_of(Worker)).content.decode()
    page = administrator.get(page_of(worker)).content.decode()

    for word in ("gpu-box:17", "123.4", "3 of 4", "At work", "Silent"):
        assert word in listed
    assert "float32" in page
    row = next(row for row in administrator.get(list_of(Worker)).context["cl"].result_list)
    assert (row.waiting, row.oldest) == (2, NOW)


def test_lists_need_as_many_queries_for_more_rows(administrator: Client, alice: User) -> None:
    def count(model: object) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert administrator.get(list_of(model)).status_code == 200
        return len(queries)

    models = (Worker, ServedModel, ChatReport)
    given.worker()
    reported(alice)
    first = [count(model) for model in models]
    for number in range(3):
        given.worker(given.served(f"model-{number}"), name=f"host:{number}")
        reported(alice)

    assert [count(model) for model in models] == first


def test_moderators_see_the_reported_message_and_its_prompt_only(
    moderator: Client, alice: User
) -> None:
    report = reported(alice)

    page = moderator.get(page_of(report)).content.decode()

    for words in ("It is four.", "What is two and two?", "Five."):
        assert words in page
    assert "A private matter" not in page
    assert "I see." not in page


def test_a_decision_is_kept_with_who_took_it(moderator: Client, alice: User, mona: User) -> None:
    report = reported(alice)

    moderator.post(act_on(report, "resolve"), {"resolution": "Sums are hard for it."})

    report.refresh_from_db()
    assert (report.resolution, report.resolved_by) == ("Sums are hard for it.", mona)
    assert report.resolved_at is not None
    assert b"It is four." not in moderator.get(list_of(ChatReport)).content


def test_a_report_said_anew_is_open_again(alice: User, mona: User) -> None:
    report = reported(alice)
    conversations.resolve(report, mona, "Nothing to do.", now=NOW)

    later = NOW + timedelta(days=1)
    again = conversations.report(report.message, alice, "wrong", "Still not.", now=later)

    assert again == report
    assert (again.resolved_at, again.resolved_by, again.resolution) == (None, None, "")


def test_chats_are_nobodys_business(moderator: Client, administrator: Client) -> None:
    for model in (Chat, ChatMessage, Share):
        assert not admin.site.is_registered(model)
    for client in (moderator, administrator):
        assert client.get("/admin/chat_app/chatmessage/").status_code == 404


def test_admins_choose_what_is_on_offer_and_moderators_only_look(
    moderator: Client, administrator: Client
) -> None:
    first, second = given.served("tiny"), given.served("other")

    assert moderator.post(act_on(second, "default")).status_code == 403
    administrator.post(act_on(second, "default"))
    administrator.post(act_on(first, "withdraw"))

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.is_default, first.enabled) == (False, False)
    assert (second.is_default, second.enabled) == (True, True)
    administrator.post(act_on(second, "withdraw"))
    second.refresh_from_db()
    assert second.enabled
    administrator.post(act_on(first, "offer"))
    first.refresh_from_db()
    assert first.enabled
