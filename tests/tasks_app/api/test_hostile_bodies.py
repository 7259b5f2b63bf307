"""What the collection's API says to input that no client of good will sends."""

import json
from typing import Any

import pytest
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Draft, Message, Ranking, TextLabels
from tests import factories
from tests.calling import Program, code_of
from tests.factories import grow

pytestmark = pytest.mark.django_db
DEEP = b'{"labels": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
DAMAGED = [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", DEEP, b'{"kind": "\\ud800"}',
           b'{"kind": "random", "kind": 1}', b'{"labels": {"spam": 1e999}}',
           b"[" * 100_000]  # fmt: skip
VALUES = [
    "NaN",
    "Infinity",
    "-Infinity",
    "-1",
    "1e308",
    "9" * 400,
    '"0"',
    "true",
    "[]",
    "{}",
    '"x"',
]
TEXTS = ["\u202etfel", "\u200b" * 50, "e" + "\u0301" * 2000, "😀" * 100, "> " * 10_000 + "x",
         "<script>alert(1)</script>", "[x](javascript:alert(1))", "=1+1", " \u3000\n "]  # fmt: skip


def send(program: Program, path: str, body: bytes, method: str = "POST") -> Any:
    options: Any = {"content_type": "application/json"}
    return program.client.generic(method, f"/api/v1{path}", body, **options)


@pytest.fixture
def review(alice: User) -> str:
    kind = TaskType.LABEL_ASSISTANT_REPLY
    return f"/tasks/{factories.hand_out(alice, kind, grow('P(A?)')[1], now=timezone.now()).pk}"


@pytest.mark.parametrize("body", DAMAGED, ids=lambda body: repr(body[:25]))
def test_damaged_body_is_refused_in_words(program: Program, review: str, body: bytes) -> None:
    for path in ("/tasks/next", f"{review}/labels"):
        response = send(program, path, body)

        assert response.status_code in {400, 422}
        assert response.json()["error"]["message"]
    assert not TextLabels.objects.filter(user__display_name="Alice").exists()


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:20])
def test_label_with_a_value_off_its_scale_is_refused(
    program: Program, review: str, value: str
) -> None:
    body = f'{{"labels": {{"spam": 0, "quality": {value}}}}}'.encode()

    answer = send(program, f"{review}/labels", body)
    kept = send(program, f"{review}/draft", body, "PUT")

    if value not in {'"0"', "true"}:  # numbers in other clothes
        assert answer.status_code in {400, 422}
        assert answer.json()["error"]["message"]
    assert kept.status_code in {200, 409, 422}
    assert program.call("get", review).status_code == 200


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:12]))
def test_odd_text_is_stored_as_it_is_or_refused(program: Program, alice: User, text: str) -> None:
    kind = TaskType.ASSISTANT_REPLY
    task = factories.hand_out(alice, kind, grow("P").root, now=timezone.now())

    response = send(program, f"/tasks/{task.pk}/reply", json.dumps({"text": text}).encode())

    stored = [message.text for message in Message.objects.filter(user=alice)]
    if response.status_code == 200:
        assert stored == [text.strip()]
    else:
        assert (response.status_code, stored) == (400, [])


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "x" * 100_001])
def test_text_that_cannot_be_stored_names_the_field(
    program: Program, alice: User, text: str
) -> None:
    task = factories.hand_out(alice, TaskType.ASSISTANT_REPLY, grow("P").root, now=timezone.now())

    for path, method in (("reply", "POST"), ("draft", "PUT")):
        body = json.dumps({"text": text}).encode()
        response = send(program, f"/tasks/{task.pk}/{path}", body, method)

        assert response.status_code == 422
        assert response.json()["error"]["fields"][0]["at"][-1] == "text"
    assert not Draft.objects.exists()


def test_body_of_more_than_a_megabyte_is_refused(program: Program, review: str) -> None:
    response = send(program, f"{review}/draft", b'{"text": "' + b"x" * 1_100_000 + b'"}', "PUT")

    assert code_of(response) == (413, "too_large")


def test_ranking_of_ten_thousand_is_refused(program: Program, alice: User) -> None:
    grown = grow("P(A A)", state=TreeState.RANKING)
    kind = TaskType.RANK_ASSISTANT_REPLIES
    task = factories.hand_out(alice, kind, grown.root, now=timezone.now())
    one = str(grown[1].pk)

    for groups in ([[one]] * 10_000, [[one] * 10_000]):
        body = json.dumps({"groups": groups}).encode()
        response = send(program, f"/tasks/{task.pk}/ranking", body)
        assert response.status_code in {400, 422}
    assert not Ranking.objects.exists()


@pytest.mark.parametrize("query", ["lang=%00", "lang=" + "x" * 3000, "lang=en&" * 200])
def test_odd_query_is_refused_in_words(program: Program, query: str) -> None:
    for path in ("/tasks/available", "/messages"):
        response = program.call("get", f"{path}?{query}")

        assert response.status_code in {200, 400, 422}
        assert response.status_code == 200 or response.json()["error"]["message"]
