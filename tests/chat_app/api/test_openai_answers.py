"""How replies become answers of the OpenAI-compatible API, without a server."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from chat_app import following, openai_api, streams
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


def test_reader_that_breaks_ends_the_call(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _chat, (_prompt, reply) = given.thread(alice)

    async def broken(_reply_id: Any) -> AsyncGenerator[None, None]:
        yield None
        raise OSError("the database is away")

    monkeypatch.setattr(following, "follow", broken)

    with pytest.raises(OSError, match="away"):
        whole(reply)
