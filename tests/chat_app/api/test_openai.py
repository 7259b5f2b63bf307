"""OpenAI's own client against a real server and a real worker with an engine that says back."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from chat_app.models import Chat, ChatMessage
from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from tests import factories, stack
from tests.calling import token_of
from tests.chat_app import given

pytestmark = pytest.mark.slow
HELLO: Any = [{"role": "user", "content": "Hello"}]
MODEL = "tiny"
FAST = ("--engine", "fake", "--tokens-per-s", "200")


@pytest.fixture
def client(transactional_db: None, running_site: str, tmp_path: Path) -> Iterator[OpenAI]:
    """Alice's, of a site with a worker of the model `tiny`."""
    given.served(MODEL)
    with stack.inference_worker(tmp_path, "--model", MODEL, *FAST):
        yield client_of(f"{running_site}/v1", token_of(factories.alice()))


def client_of(address: Any, key: str) -> OpenAI:
    return OpenAI(base_url=address, api_key=key, max_retries=0, timeout=30)


def long(words: int) -> Any:
    """A prompt whose answer has so many words."""
    return [{"role": "user", "content": f"!long {words}"}]


def eventually(claim: Callable[[], bool], timeout_s: float = 5) -> bool:
    deadline = time.monotonic() + timeout_s
    while not claim() and time.monotonic() < deadline:
        time.sleep(0.05)
    return claim()


def test_openais_client_is_answered(client: OpenAI, subtests: pytest.Subtests) -> None:
    for check in (
        check_models,
        check_whole,
        check_streamed,
        check_several_drafts,
        check_limits_and_stops,
        check_history,
        check_carrying_on,
        check_stopped_when_nobody_listens,
        check_failing,
        check_refusals,
        check_stored,
    ):
        with subtests.test(check.__name__):
            check(client)


def check_models(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).owned_by == "open-assistant"


def check_whole(client: OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HELLO)

    assert answer.choices[0].message.content == "You said: Hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 3
    assert answer.model == MODEL


def check_streamed(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=long(50), stream=True, stream_options={"include_usage": True}
    )

    chunks = list(stream)
    texts = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    assert "".join(texts) == " ".join(str(number) for number in range(1, 51))
    assert len([text for text in texts if text]) > 2
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 50
    assert len({chunk.id for chunk in chunks}) == 1


def check_several_drafts(client: OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, n=3, seed=7)
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, n=2, stream=True)

    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert {choice.message.content for choice in answer.choices} == {"You said: Hello"}
    texts = ["", ""]
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == ["You said: Hello"] * 2
    seeds = ChatMessage.objects.filter(parameters__seed__in=[7, 8, 9]).count()
    assert seeds == 3


def check_limits_and_stops(client: OpenAI) -> None:
    short = client.chat.completions.create(
        model=MODEL, messages=long(50), max_tokens=5, temperature=0, top_p=0.5
    )
    stopped = client.chat.completions.create(model=MODEL, messages=long(50), stop=[" 4", " 30"])

    assert short.choices[0].message.content == "1 2 3 4 5"
    assert short.choices[0].finish_reason == "length"
    assert stopped.choices[0].message.content == "1 2 3"
    assert stopped.choices[0].finish_reason == "stop"


def check_history(client: OpenAI) -> None:
    messages: Any = [
        {"role": "assistant", "content": "How can I help?"},
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [{"type": "text", "text": "Second"}]},
    ]

    answer = client.chat.completions.create(model=MODEL, messages=messages)

    assert answer.choices[0].message.content == "You said: Second"
    assert ChatMessage.objects.get(depth=5).system_prompt == "Be brief."


def check_carrying_on(client: OpenAI) -> None:
    messages: Any = [*HELLO, {"role": "assistant", "content": "I hear: "}]

    answer = client.chat.completions.create(
        model=MODEL, messages=messages, extra_body={"continue_final_message": True}
    )

    assert answer.choices[0].message.content == "You said: Hello"
    assert ChatMessage.objects.filter(text="I hear: You said: Hello").exists()


def check_stopped_when_nobody_listens(client: OpenAI) -> None:
    stream = client.chat.completions.create(model=MODEL, messages=long(5000), stream=True)
    next(iter(stream))
    stream.close()
    ended = ChatMessage.objects.filter(role="assistant", state="stopped")

    assert eventually(lambda: ended.count() == 1)
    impatient = client.with_options(timeout=0.7)
    with pytest.raises(openai.APITimeoutError):
        impatient.chat.completions.create(model=MODEL, messages=long(5000))
    assert eventually(lambda: ended.count() == 2)
    assert ChatMessage.objects.filter(state__in=["queued", "running"]).count() == 0


def check_failing(client: OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "!fail"}])
    assert refused.value.status_code == 503
    assert refused.value.code == "interrupted"

    stream = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "!fail"}], stream=True
    )
    with pytest.raises(openai.APIError, match="could not finish"):
        list(stream)


def check_refusals(client: OpenAI) -> None:
    create, chats = client.chat.completions.create, Chat.objects.count()
    narrow = token_of(User.objects.get(), Scope.READ_CHATS)

    with pytest.raises(openai.NotFoundError, match="not on offer"):
        create(model="gpt-4", messages=HELLO)
    with pytest.raises(openai.BadRequestError, match="n: "):
        create(model=MODEL, messages=HELLO, n=10**6)
    with pytest.raises(openai.AuthenticationError):
        client_of(client.base_url, "oasst_guess").models.list()
    with pytest.raises(openai.PermissionDeniedError, match="completions"):
        client_of(client.base_url, narrow).models.list()
    with pytest.raises(openai.APIStatusError) as too_large:
        create(model=MODEL, messages=[{"role": "user", "content": "x" * 1_100_000}])
    assert too_large.value.status_code == 413
    assert Chat.objects.count() == chats


def check_stored(client: OpenAI) -> None:
    assert not Chat.objects.filter(from_api=False).exists()
    assert not Chat.objects.filter(allow_data_use=True).exists()
