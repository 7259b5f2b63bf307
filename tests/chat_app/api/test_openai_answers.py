"""How replies become answers of the OpenAI-compatible API, without a server."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from chat_app import completions, following, openai_api, streams
from chat_app.enums import Hold
from chat_app.models import ChatMessage
from chat_app.openai_api import Answer
from chat_app.openai_schemas import CompletionIn
from oasst.accounts.models import User
from tests.chat_app import given
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)
WANTED = CompletionIn.model_validate(
    {"model": "tiny", "messages": [{"role": "user", "content": "Hello"}]}
)


CONTINUED = CompletionIn.model_validate(
    {
        "model": "tiny",
        "messages": [
            {"role": "user", "content": "Tell me a story"},
            {"role": "assistant", "content": "Once upon"},
        ],
        "continue_final_message": True,
        "add_generation_prompt": False,
    }
)


def streamed(*replies: ChatMessage, wanted: CompletionIn = WANTED) -> list[dict[str, Any]]:
    async def main() -> list[dict[str, Any]]:
        try:
            answer = Answer(wanted, list(replies))
            async with asyncio.timeout(5):
                return [chunk async for chunk in openai_api._chunks(answer) if chunk]
        finally:
            await streams.close()

    return async_to_sync(main)()


def whole(*replies: ChatMessage) -> Any:
    async def main() -> Any:
        try:
            return await asyncio.wait_for(openai_api._whole(Answer(WANTED, list(replies))), 5)
        finally:
            await streams.close()

    return async_to_sync(main)()


def test_held_answer_is_kept_back(alice: User) -> None:
    _chat, (prompt, fine) = given.thread(alice)
    held = given.answer(prompt, "Secret", hold=Hold.HELD, now=NOW + timedelta(minutes=1))

    choices = whole(fine, held)["choices"]

    assert [each["finish_reason"] for each in choices] == ["stop", "content_filter"]
    assert [each["message"]["content"] for each in choices] == [fine.text, ""]


def test_streamed_answer_that_was_held_ends_as_filtered(alice: User) -> None:
    _chat, (prompt, fine) = given.thread(alice)
    held = given.answer(prompt, "Secret", hold=Hold.HELD, now=NOW + timedelta(minutes=1))

    choices = [choice for chunk in streamed(fine, held) for choice in chunk["choices"]]

    reasons = {each["index"]: each["finish_reason"] for each in choices if each["finish_reason"]}
    assert reasons == {0: "stop", 1: "content_filter"}
    assert "".join(each["delta"].get("content", "") for each in choices) == fine.text


def test_answer_that_carries_on_gives_what_is_new(alice: User) -> None:
    _chat, (prompt, _reply) = given.thread(alice)
    reply = given.answer(prompt, "Once upon a time", prefix="Once upon")

    choices = [choice for chunk in streamed(reply, wanted=CONTINUED) for choice in chunk["choices"]]

    assert "".join(each["delta"].get("content", "") for each in choices) == " a time"
    assert whole(reply)["choices"][0]["message"]["content"] == " a time"


def test_last_message_that_is_to_be_continued_begins_the_answer(alice: User) -> None:
    given.served()

    (reply,) = completions.begin(alice, CONTINUED, now=NOW)

    assert (reply.prefix, reply.parent.text) == ("Once upon", "Tell me a story")
    assert reply.chat.messages.count() == 2


def test_reader_that_breaks_ends_the_call(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _chat, (_prompt, reply) = given.thread(alice)

    async def broken(_reply_id: Any) -> AsyncGenerator[None, None]:
        yield None
        raise OSError("the database is away")

    monkeypatch.setattr(following, "follow", broken)

    with pytest.raises(OSError, match="away"):
        whole(reply)
