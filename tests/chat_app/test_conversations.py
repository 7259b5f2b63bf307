"""What a person does with a chat: saying, branching, looking around, judging, keeping."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from chat_app import conversations, notices, streams, titles
from chat_app.enums import MessageState
from chat_app.errors import (
    BadParent,
    ChatNotFound,
    ChatTooLong,
    InvalidVote,
    KeyReused,
    ReplyUnderWay,
    TextEmpty,
    TextInvalid,
    TextTooLong,
)
from chat_app.models import Chat, ChatMessage, Vote
from oasst.accounts.models import User
from oasst.lib.queue import redis_client
from tests.chat_app import given
from tests.factories import NOW

LATER = NOW + timedelta(minutes=1)


def test_a_new_chat_has_the_default_model_and_the_preset_that_suits_it(alice: User) -> None:
    other = given.served("other", is_default=False, default_preset="nucleus9")
    model = given.served("tiny", is_default=True)

    chat = conversations.start(alice, now=NOW)

    assert (chat.model, chat.preset, chat.parameters["top_k"]) == (model, "k50", 50)
    assert conversations.start(alice, model=other, now=NOW).parameters["top_p"] == 0.9
    assert (chat.allow_data_use, chat.title, chat.tail) == (True, "", None)


def test_the_first_prompt_gives_the_chat_its_title(alice: User) -> None:
    chat = given.chat(alice)

    prompt = given.prompt(chat, "  Hi! Could you explain tides to me?  ")

    chat.refresh_from_db()
    assert (prompt.text, prompt.depth, prompt.state) == (
        "Hi! Could you explain tides to me?",
        0,
        MessageState.DONE,
    )
    assert (chat.title, chat.tail) == ("Explain tides to me?", prompt)


def test_the_same_key_twice_is_one_prompt(alice: User) -> None:
    chat, key = given.chat(alice), uuid.uuid4()

    first = conversations.say(chat, alice, "Hello", key=key, now=NOW)
    again = conversations.say(chat, alice, "Hello", key=key, now=LATER)

    assert first == again
    assert chat.messages.count() == 1
    with pytest.raises(KeyReused):
        conversations.say(chat, alice, "Something else", key=key, now=LATER)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (" \n ", TextEmpty),
        ("a\x00b", TextInvalid),
        ("\ud800", TextInvalid),
        ("a" * 51, TextTooLong),
    ],
)
def test_a_text_that_cannot_be_stored_is_refused(
    alice: User, settings: Any, text: str, error: type[Exception]
) -> None:
    settings.CHAT_MAX_TEXT_LENGTH = 50
    chat = given.chat(alice)

    with pytest.raises(error):
        given.prompt(chat, text)

    assert not chat.messages.exists()


def test_a_prompt_follows_only_a_finished_reply_of_its_own_chat(alice: User) -> None:
    chat, (prompt, reply) = given.thread(alice)
    _other, (_prompt, foreign) = given.thread(alice)

    for parent in (prompt, foreign):
        with pytest.raises(BadParent):
            given.prompt(chat, "And then?", parent=parent)

    assert given.prompt(chat, "And then?", parent=reply).depth == 2


def test_a_prompt_does_not_overtake_its_reply(alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice)
    ChatMessage.objects.filter(pk=reply.pk).update(state=MessageState.QUEUED, finished_at=None)

    with pytest.raises(ReplyUnderWay):
        given.prompt(chat, "And then?", parent=reply)


def test_a_full_chat_takes_no_more(alice: User, settings: Any) -> None:
    settings.CHAT_MAX_MESSAGES = 2
    chat, (_prompt, reply) = given.thread(alice)

    with pytest.raises(ChatTooLong):
        given.prompt(chat, "And then?", parent=reply)


def test_nobody_speaks_in_somebody_elses_chat(alice: User, bob: User) -> None:
    chat = given.chat(alice)

    with pytest.raises(ChatNotFound):
        conversations.say(chat, bob, "Hello", now=NOW)
    with pytest.raises(ChatNotFound):
        conversations.of(bob, chat.pk)

    assert conversations.of(alice, chat.pk) == chat


def test_calls_of_the_api_are_no_chats_to_find(alice: User) -> None:
    chat = given.chat(alice, from_api=True, allow_data_use=False)

    with pytest.raises(ChatNotFound):
        conversations.of(alice, chat.pk)


# Branches


def test_an_edited_prompt_is_a_branch_with_the_old_one_beside_it(alice: User) -> None:
    chat, (first, *_rest) = given.thread(alice)

    edited = given.prompt(chat, "Why is the sea blue?", now=LATER)

    (place,) = conversations.view(chat)
    assert (place.message, place.siblings, place.number) == (edited, [first, edited], 2)
    assert (place.earlier, place.later) == (first, None)


def test_showing_a_branch_goes_down_to_its_newest_leaf(alice: User) -> None:
    chat, (first, reply, *_rest) = given.thread(alice, "One", "Two", "Three", "Four")
    newer = given.prompt(chat, "Another three", parent=reply, now=LATER)
    given.prompt(chat, "Another one", now=LATER)

    conversations.show(chat, first)

    assert [place.message for place in conversations.view(chat)] == [first, reply, newer]
    chat.refresh_from_db()
    assert chat.tail == newer


def test_a_thread_is_read_in_one_query(alice: User, django_assert_num_queries: Any) -> None:
    chat, messages = given.thread(alice, *(str(number) for number in range(10)))

    with django_assert_num_queries(1):
        assert conversations.thread(messages[-1]) == messages
    with django_assert_num_queries(1):
        assert [place.message for place in conversations.view(chat)] == messages


# Judging


def test_a_second_vote_replaces_the_first(alice: User) -> None:
    _chat, (_prompt, reply) = given.thread(alice)

    conversations.vote(reply, 1, reasons=["helpful"], now=NOW)
    conversations.vote(reply, -1, reasons=["wrong", "too_long"], text=" no ", now=LATER)

    vote = Vote.objects.get()
    assert (vote.value, vote.reasons, vote.text) == (-1, ["too_long", "wrong"], "no")
    conversations.unvote(reply)
    assert not Vote.objects.exists()


@pytest.mark.parametrize("bad", [{"value": 0}, {"value": 1, "reasons": ["nonsense"]}])
def test_a_vote_that_does_not_exist_is_refused(alice: User, bad: dict[str, Any]) -> None:
    _chat, (prompt, reply) = given.thread(alice)

    with pytest.raises(InvalidVote):
        conversations.vote(reply, **bad, now=NOW)
    with pytest.raises(InvalidVote):
        conversations.vote(prompt, 1, now=NOW)

    assert not Vote.objects.exists()


def test_the_picked_draft_is_kept_with_those_it_was_compared_with(alice: User) -> None:
    chat, (prompt, first) = given.thread(alice)
    second = given.answer(prompt, "Another draft", now=LATER)
    given.answer(prompt, "", state=MessageState.FAILED, now=LATER)

    choice = conversations.choose_draft(chat, first, now=LATER)
    again = conversations.choose_draft(chat, second, now=LATER)

    assert choice == again
    assert (again.chosen, [*again.rejected.all()], again.parent) == (second, [first], prompt)
    chat.refresh_from_db()
    assert chat.tail == second


def test_a_reply_that_stands_alone_cannot_be_picked(alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice)

    with pytest.raises(InvalidVote):
        conversations.choose_draft(chat, reply, now=NOW)


def test_a_second_report_replaces_the_words_of_the_first(alice: User) -> None:
    _chat, (_prompt, reply) = given.thread(alice)

    conversations.report(reply, alice, "wrong", "Not so.", now=NOW)
    conversations.report(reply, alice, "offensive", "Rude.", now=LATER)

    (report,) = reply.reports.all()
    assert (report.kind, report.text, report.user) == ("offensive", "Rude.", alice)
    with pytest.raises(InvalidVote):
        conversations.report(reply, alice, "nonsense", "", now=LATER)


# Keeping


def test_a_typed_title_stays_and_an_empty_one_brings_the_generated_back(alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice, "Tell me about tides", "The moon.")

    conversations.rename(chat, "  The   sea ")
    given.prompt(chat, "And the sun?", parent=reply)

    chat.refresh_from_db()
    assert (chat.title, chat.title_is_own) == ("The sea", True)
    conversations.rename(chat, "")
    assert (chat.title, chat.title_is_own) == ("About tides", False)


def test_pages_of_a_chat_are_told_its_title_when_it_gets_one(
    alice: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    chat = given.chat(alice)
    with redis_client().pubsub(ignore_subscribe_messages=True) as page:
        page.subscribe(f"{notices.PREFIX}{chat.pk}")
        page.get_message(timeout=1)

        with django_capture_on_commit_callbacks(execute=True):
            prompt = given.prompt(chat, "Tell me about tides")
            given.prompt(chat, "And again", parent=given.answer(prompt))
            conversations.rename(chat, "The sea")

        told = [json.loads(page.get_message(timeout=1)["data"]) for _ in range(2)]
        assert page.get_message(timeout=0.05) is None

    assert told == [
        {"type": "title", "title": "About tides"},
        {"type": "title", "title": "The sea"},
    ]


def test_deleting_a_chat_leaves_nothing_of_it(alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice)
    kept, _messages = given.thread(alice)
    conversations.vote(reply, 1, now=NOW)

    conversations.delete(chat)

    assert [*Chat.objects.all()] == [kept]
    assert not Vote.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_deleting_a_chat_removes_what_redis_holds_of_it(alice: User) -> None:
    _chat, (_prompt, reply) = given.thread(alice)
    _other, (_prompt, kept) = given.thread(alice)
    for each in (reply, kept):
        redis_client().xadd(streams.key_of(each.pk), {"type": "delta", "text": "A secret"})

    conversations.delete(reply.chat)

    assert redis_client().exists(streams.key_of(reply.pk)) == 0
    assert redis_client().exists(streams.key_of(kept.pk)) == 1


def test_an_opt_out_is_stored_and_a_call_of_the_api_is_never_data(alice: User) -> None:
    chat = given.chat(alice)

    conversations.set_data_use(chat, False)
    chat.refresh_from_db()
    assert chat.allow_data_use is False

    call = given.chat(alice, from_api=True, allow_data_use=False)
    conversations.set_data_use(call, True)
    call.refresh_from_db()
    assert call.allow_data_use is False


# Titles


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("What is the capital of France?", "What is the capital of France?"),
        ("Hello there, can you please help me to write a poem. It is for Bob.", "Write a poem"),
        ("hi", "Hi"),
        ("```python\nprint(1)\n```\nWhat does this do?", "What does this do?"),
        ("```\nonly code\n```", "Only code"),
        ("# A **bold** [link](https://example.org)", "A bold link"),
        ("Чому небо блакитне? Поясни.", "Чому небо блакитне?"),
        ("为什么天空是蓝色的？请解释。", "为什么天空是蓝色的？"),
        ("???", ""),
        ("a" * 80, "A" + "a" * 58 + "…"),
        (
            "Explain how photosynthesis in green plants turns light into sugar step by step",
            "Explain how photosynthesis in green plants turns light into…",
        ),
    ],
)
def test_a_title_is_the_gist_of_the_prompt(text: str, title: str) -> None:
    assert titles.title_for(text) == title
