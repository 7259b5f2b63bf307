"""What one does with a message of a chat."""

from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from chat_app import conversations, replies
from chat_app.enums import Hold, MessageState, Role
from chat_app.models import Chat, ChatMessage, ChatReport, DraftChoice, Vote
from oasst.accounts.models import User
from tests.chat_app import given
from tests.factories import NOW
from tests.sessions import HTMX

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def do(web: Client, message: ChatMessage, what: str, **data: Any) -> HttpResponse:
    return web.post(f"/chat/{message.chat_id}/messages/{message.pk}/{what}/", data)


def tail(chat: Chat) -> ChatMessage:
    chat.refresh_from_db()
    assert chat.tail is not None
    return chat.tail


def page_of(web: Client, chat: Chat) -> str:
    return web.get(f"/chat/{chat.pk}/").content.decode()


@pytest.fixture
def drafts(alice: User) -> list[ChatMessage]:
    """Three finished answers to one prompt, asked for together."""
    chat = given.chat(alice)
    prompt = given.prompt(chat)
    return [given.answer(prompt, f"Draft {number}") for number in range(3)]


def test_try_again_asks_for_another_reply_to_the_same_prompt(web: Client, alice: User) -> None:
    chat, (prompt, reply) = given.thread(alice)

    do(web, reply, "regenerate")

    other = tail(chat)
    assert (other.parent, other.state) == (prompt, MessageState.QUEUED)
    assert other != reply


def test_three_drafts_stand_side_by_side(web: Client, alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice)

    do(web, reply, "regenerate", count=3)

    page = page_of(web, chat)
    assert page.count('class="said said-assistant draft"') == 3
    assert 'name="parent"' not in page


def test_more_drafts_than_allowed_are_one(web: Client, alice: User) -> None:
    _chat, (prompt, reply) = given.thread(alice)

    do(web, reply, "regenerate", count=100)

    assert prompt.children.count() == 2


def test_picked_draft_goes_on_and_counts_as_preference(
    web: Client, drafts: list[ChatMessage]
) -> None:
    do(web, drafts[1], "choose")

    choice = DraftChoice.objects.get()
    page = page_of(web, drafts[1].chat)
    assert choice.chosen == drafts[1]
    assert set(choice.rejected.all()) == {drafts[0], drafts[2]}
    assert f'name="parent" form="say" value="{drafts[1].pk}"' in page
    assert "of 3" in page


def test_unfinished_reply_says_how_far_it_is(web: Client, alice: User) -> None:
    (reply,) = given.waiting(alice)
    assert 'data-stage="trouble"' in page_of(web, reply.chat)
    worker = given.worker(heartbeat_at=timezone.now())
    assert 'data-stage="waiting"' in page_of(web, reply.chat)

    replies.claim(worker.model, worker, now=NOW)

    assert 'data-stage="writing"' in page_of(web, reply.chat)


def test_stop_ends_a_waiting_reply(web: Client, alice: User) -> None:
    (reply,) = given.waiting(alice)

    do(web, reply, "stop")

    reply.refresh_from_db()
    assert reply.state == MessageState.STOPPED


def test_interrupted_reply_offers_to_continue_and_continues(web: Client, alice: User) -> None:
    chat = given.chat(alice)
    reply = given.answer(given.prompt(chat), "The Moon", state=MessageState.INTERRUPTED)
    assert "The answer broke off" in page_of(web, chat)

    do(web, reply, "continue")

    assert (tail(chat).prefix, tail(chat).state) == ("The Moon", MessageState.QUEUED)


def test_failed_reply_says_why_and_offers_to_try_again(web: Client, alice: User) -> None:
    chat = given.chat(alice)
    why = "The conversation is longer than the model can read."
    given.answer(given.prompt(chat), "", state=MessageState.FAILED, error=why)

    page = page_of(web, chat)

    assert why in page
    assert ">Try again<" in page


def test_edited_prompt_is_a_branch_beside_the_old_one(web: Client, alice: User) -> None:
    chat, messages = given.thread(alice, "one", "two", "three", "four")

    do(web, messages[2], "edit", text="three, better")

    branch = ChatMessage.objects.get(text="three, better")
    assert branch.parent == messages[1]
    assert tail(chat).parent == branch
    assert "2/2" in page_of(web, chat)


def test_edit_sent_twice_makes_one_branch(web: Client, alice: User) -> None:
    chat, (prompt, _reply) = given.thread(alice)
    form = web.get(f"/chat/{chat.pk}/messages/{prompt.pk}/edit/").context

    for _time in range(2):
        do(web, prompt, "edit", text="another way", key=form["say_key"])

    branch = ChatMessage.objects.get(text="another way")
    assert branch.children.count() == 1


@pytest.mark.parametrize("what", ["regenerate", "continue", "edit", "offer"])
def test_muted_person_asks_the_model_for_nothing(web: Client, alice: User, what: str) -> None:
    chat, (prompt, reply) = given.thread(alice)
    given.answer(prompt, "Half", state=MessageState.STOPPED)
    User.objects.filter(pk=alice.pk).update(muted_until=timezone.now() + timedelta(days=1))

    response = do(web, prompt if what == "edit" else reply, what, text="More", lang="en")

    assert "muted your account" in response.content.decode()
    assert chat.messages.count() == 3
    assert not ChatMessage.objects.waiting().exists()


def test_branch_that_is_shown_comes_into_view(web: Client, alice: User) -> None:
    chat, messages = given.thread(alice, "one", "two")
    do(web, messages[0], "edit", text="other")

    do(web, messages[0], "show")

    assert tail(chat) == messages[1]


def test_reply_cannot_be_edited(web: Client, alice: User) -> None:
    _chat, (_prompt, reply) = given.thread(alice)

    assert do(web, reply, "edit", text="mine").status_code == 404


def test_edit_to_nothing_says_so_and_keeps_the_form(web: Client, alice: User) -> None:
    _chat, (prompt, _reply) = given.thread(alice)

    response = do(web, prompt, "edit", text=" ")

    assert response.status_code == 422
    assert "Write a message first" in response.content.decode()


def test_thumb_is_kept_changed_and_taken_back(web: Client, alice: User) -> None:
    _chat, (_prompt, reply) = given.thread(alice)

    do(web, reply, "vote", value=1)
    do(web, reply, "vote", value=-1, reasons=["wrong", "too_long"], text="Not so.")
    vote = Vote.objects.get()
    do(web, reply, "vote", value=0)

    assert (vote.value, vote.reasons, vote.text) == (-1, ["too_long", "wrong"], "Not so.")
    assert not Vote.objects.exists()


def test_thumb_asks_why_at_once(web: Client, alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice)
    url = f"/chat/{chat.pk}/messages/{reply.pk}/vote/"

    page = web.post(url, {"value": "-1"}, headers=HTMX).content.decode()

    assert '<details class="said-why" open>' in page
    assert "Did not follow the request" in page
    assert "Well written" not in page


@pytest.mark.parametrize("data", [{}, {"value": "2"}, {"value": "1", "reasons": "because"}])
def test_vote_of_nonsense_is_refused(web: Client, alice: User, data: dict[str, str]) -> None:
    _chat, (_prompt, reply) = given.thread(alice)

    assert do(web, reply, "vote", **data).status_code == 400
    assert not Vote.objects.exists()


def test_report_reaches_the_moderators(web: Client, alice: User) -> None:
    _chat, (_prompt, reply) = given.thread(alice)

    do(web, reply, "report", kind="wrong", text="It is not blue.")

    report = ChatReport.objects.get()
    assert (report.message, report.user, report.kind) == (reply, alice, "wrong")


def test_report_without_a_kind_asks_for_it(web: Client, alice: User) -> None:
    _chat, (_prompt, reply) = given.thread(alice)

    response = do(web, reply, "report", text="Bad")

    assert response.status_code == 422
    assert "Please choose what is wrong" in response.content.decode()
    assert not ChatReport.objects.exists()


def test_message_comes_as_a_fragment_or_as_plain_text(web: Client, alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice, "Hi", "Some **strong** words")
    url = f"/chat/{chat.pk}/messages/{reply.pk}/"

    fragment = web.get(url, headers=HTMX).content.decode()
    plain = web.get(url, {"plain": "on"}).content.decode()

    assert "<strong>strong</strong>" in fragment
    assert "<html" not in fragment
    assert "Some **strong** words" in plain


def test_held_reply_is_not_shown_and_marked_one_with_a_note(web: Client, alice: User) -> None:
    chat, messages = given.thread(alice, "one", "Secret recipe", "three", "Delicate answer")
    ChatMessage.objects.filter(pk=messages[1].pk).update(hold=Hold.HELD)
    ChatMessage.objects.filter(pk=messages[3].pk).update(hold=Hold.MARKED)

    page = page_of(web, chat)

    assert "Secret recipe" not in page
    assert "This answer is kept back" in page
    assert "Delicate answer" in page
    assert "The safety check has marked this answer" in page


def test_held_reply_is_not_offered_to_continue_or_pick(web: Client, alice: User) -> None:
    chat, (prompt, _reply) = given.thread(alice)
    given.answer(prompt, "Secret", finish_reason="length", hold=Hold.HELD)

    page = page_of(web, chat)

    assert "This answer is kept back" in page
    assert "/continue/" not in page


def test_chat_that_is_not_data_promises_no_training(web: Client, alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice, allow_data_use=False)

    do(web, reply, "regenerate", count=2)
    page = page_of(web, chat)

    assert "Which answer is better?" in page
    assert "teaches the next model" not in page


@pytest.mark.parametrize("what", ["regenerate", "continue", "stop", "show", "choose", "vote"])
def test_message_of_somebody_else_does_not_exist(web: Client, bob: User, what: str) -> None:
    chat, (_prompt, reply) = given.thread(bob)

    assert do(web, reply, what, value=1).status_code == 404
    assert tail(chat) == reply


def test_message_of_another_chat_is_not_found_in_this_one(web: Client, alice: User) -> None:
    chat, _messages = given.thread(alice)
    _other, (_prompt, reply) = given.thread(alice, now=NOW + timedelta(hours=1))

    assert web.get(f"/chat/{chat.pk}/messages/{reply.pk}/").status_code == 404


def test_running_reply_shows_what_it_carries_on(web: Client, alice: User) -> None:
    chat = given.chat(alice)
    reply = given.answer(given.prompt(chat), "The Moon", state=MessageState.STOPPED)
    replies.resume(reply, now=NOW)

    page = page_of(web, chat)

    assert "data-live=" in page
    assert '<p dir="auto">The Moon</p>' in page
    assert conversations.view(chat)[-1].message.role == Role.ASSISTANT
