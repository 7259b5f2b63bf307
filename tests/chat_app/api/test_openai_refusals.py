"""What `/v1` says no to, always in OpenAI's shape and with the parameter's name."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.utils import timezone
from pytest_django import Settings

from chat_app import completions
from chat_app.models import Chat
from oasst.accounts.models import User
from tests.calling import Program
from tests.chat_app import given

PATH = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello"}]
GOOD: dict[str, Any] = {"model": "tiny", "messages": HELLO}


@pytest.fixture(autouse=True)
def _offer(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    given.served()
    # It would close the connection that holds the test's transaction; Django's client knows that.
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)


def post(program: Program, body: bytes | dict[str, Any]) -> HttpResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return program.client.generic("POST", PATH, data, content_type="application/json")


def error_of(response: HttpResponse) -> dict[str, Any]:
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert Chat.objects.count() == 0
    return error


BAD = [
    ({"model": None}, "model"),
    ({"messages": []}, "messages"),
    ({"messages": "Hello"}, "messages"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, None),
    ({"messages": [{"role": "user", "content": "a\x00b"}]}, None),
    ({"messages": [*HELLO, {"role": "assistant", "content": "Hi"}]}, None),
    ({"messages": HELLO * 2001}, "messages"),
    ({"continue_final_message": True}, None),
    ({"continue_final_message": True, "messages": [{"role": "assistant", "content": "Hi"}]}, None),
    ({"add_generation_prompt": False}, None),
    ({"n": 10**6}, "n"),
    ({"n": 0}, "n"),
    ({"temperature": -1}, "temperature"),
    ({"temperature": float("nan")}, None),
    ({"top_p": 2}, "top_p"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 10**30}, "max_tokens"),
    ({"seed": -1}, "seed"),
    ({"stop": "x" * 10_000}, None),
    ({"stop": ["x"] * 100}, None),
    ({"stop": [""]}, None),
    ({"tools": [{"type": "function"}]}, "tools"),
    ({"logprobs": True}, "logprobs"),
    ({"presence_penalty": 1.5}, "presence_penalty"),
    ({"response_format": {"type": "json_object"}}, "response_format.type"),
    ({"colour": "blue"}, "colour"),
    ({"stream": "perhaps"}, "stream"),
]


@pytest.mark.parametrize(("change", "param"), BAD, ids=lambda value: str(value)[:50])
def test_bad_parameter_is_named(
    program: Program, change: dict[str, Any], param: str | None
) -> None:
    response = post(program, GOOD | change)

    error = error_of(response)
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    if param is not None:
        assert error["param"] == param


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 50_000, b'{"model": "\\ud800"}'],
    ids=lambda body: str(body[:20]),
)
def test_damaged_body_is_refused(program: Program, body: bytes) -> None:
    response = post(program, body)

    assert (response.status_code, error_of(response)["type"]) == (400, "invalid_request_error")


def test_parameters_that_change_nothing_are_taken(program: Program) -> None:
    harmless = {"user": "x", "metadata": {"a": "b"}, "presence_penalty": 0, "tools": [],
                "response_format": {"type": "text"}, "logit_bias": {}, "stream": True}  # fmt: skip

    response = post(program, GOOD | harmless)

    assert response.status_code == 200
    assert response["Content-Type"] == "text/event-stream"


def test_token_is_needed() -> None:
    response = post(Program(""), GOOD)

    assert (response.status_code, error_of(response)["code"]) == (401, "token_missing")
    assert response["WWW-Authenticate"] == "Bearer"


def test_unknown_model_is_not_found(program: Program) -> None:
    response = post(program, GOOD | {"model": "gpt-4"})

    assert (response.status_code, error_of(response)["code"]) == (404, "model_not_found")
    assert program.client.get("/v1/models/gpt-4").status_code == 404


def test_muted_person_gets_no_answer(program: Program, alice: User) -> None:
    until = timezone.now() + timedelta(hours=1)
    User.objects.filter(pk=alice.pk).update(muted_until=until)

    response = post(program, GOOD)

    assert (response.status_code, error_of(response)["code"]) == (403, "muted")


def test_full_queue_says_when_to_come_back(program: Program, settings: Settings) -> None:
    settings.CHAT_QUEUE_LIMIT = 0

    response = post(program, GOOD)

    assert (response.status_code, error_of(response)["code"]) == (503, "queue_full")
    assert int(response["Retry-After"]) > 0


def test_too_many_calls_say_when_to_come_back(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completions, "CALLS_PER_MINUTE", 0)

    response = post(program, GOOD)

    assert (response.status_code, error_of(response)["code"]) == (429, "rate_limit_exceeded")
    assert 0 < int(response["Retry-After"]) <= 60


@pytest.mark.parametrize(("method", "path"), [("get", PATH), ("post", "/v1/models")])
def test_other_method_is_not_allowed(program: Program, method: str, path: str) -> None:
    response = getattr(program.client, method)(path)

    assert (response.status_code, error_of(response)["code"]) == (405, "method_not_allowed")
