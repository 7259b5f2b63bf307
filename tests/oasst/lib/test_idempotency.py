"""`Idempotency-Key`: the same request again gets the same answer and has no second effect."""

import time
from typing import Any

import pytest
from django.http import HttpResponse
from redis.exceptions import RedisError

from chat_app.models import Chat
from oasst.accounts.models import User
from oasst.lib import idempotency
from oasst.lib.queue import redis_client
from tests.calling import Program, code_of, token_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def program(alice: User) -> Program:
    return Program(token_of(alice))


def post(program: Program, key: str, body: dict[str, Any], path: str = "/chats") -> HttpResponse:
    return program.client.post(
        f"/api/v1{path}", body, content_type="application/json", headers={"Idempotency-Key": key}
    )


def test_same_request_is_answered_from_what_is_kept(program: Program) -> None:
    first, again = (post(program, "one", {"title": "Sky"}) for _ in range(2))

    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert Chat.objects.count() == 1


def test_other_body_with_the_same_key_is_refused(program: Program) -> None:
    post(program, "one", {"title": "Sky"})

    other = post(program, "one", {"title": "Sea"})

    assert code_of(other) == (409, "idempotency_key_reused")
    assert Chat.objects.count() == 1


def test_other_key_or_person_is_another_request(program: Program, bob: User) -> None:
    post(program, "one", {"title": "Sky"})

    post(program, "two", {"title": "Sky"})
    post(Program(token_of(bob)), "one", {"title": "Sky"})

    assert Chat.objects.count() == 3


def test_refusal_is_not_kept(program: Program) -> None:
    refused, again = (post(program, "one", {"model": "none"}) for _ in range(2))

    assert code_of(refused) == code_of(again) == (422, "model_not_on_offer")
    assert post(program, "one", {"title": "Sky"}).status_code == 201


def test_request_under_way_is_waited_for(
    program: Program, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_settle", lambda *args: None)  # as if its process had died
    monkeypatch.setattr(idempotency, "UNDER_WAY_S", 1)
    post(program, "one", {"title": "Sky"})

    again = post(program, "one", {"title": "Sky"})

    assert code_of(again) == (409, "request_under_way")
    assert again["Retry-After"] == "1"
    (name,) = redis_client().keys("once:*")
    while redis_client().exists(name):
        time.sleep(0.05)
    assert post(program, "one", {"title": "Sky"}).status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 201])
def test_bad_key_is_refused(program: Program, key: str) -> None:
    assert code_of(post(program, key, {})) == (400, "idempotency_key_invalid")
    assert Chat.objects.count() == 0


def test_key_opens_nothing_without_a_token(program: Program) -> None:
    post(program, "one", {"title": "Sky"})

    assert code_of(post(Program(""), "one", {"title": "Sky"})) == (401, "token_missing")


def test_answers_are_kept_for_a_day(program: Program) -> None:
    post(program, "one", {})

    (name,) = redis_client().keys("once:*")
    assert 0 < redis_client().ttl(name) <= idempotency.KEPT_S


def test_without_redis_requests_are_taken(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: Any, **_options: Any) -> None:
        raise RedisError("away")

    monkeypatch.setattr(redis_client(), "set", away)

    assert post(program, "one", {}).status_code == 201
