"""The same request several times at once, against a running site: one effect."""

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app.enums import TaskType
from tasks_app.models import Message, Task
from tests import factories
from tests.calling import token_of
from tests.factories import grow

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
TIMES = 6


def at_once(site: str, user: User, path: str, body: Any, key: str = "") -> list[tuple[int, Any]]:
    """Status and answer of each of several equal requests."""
    headers = {"Authorization": f"Bearer {token_of(user)}", "Content-Type": "application/json"}
    headers |= {"Idempotency-Key": key} if key else {}

    def send(_number: int) -> tuple[int, Any]:
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"{site}/api/v1{path}", data, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    with ThreadPoolExecutor(TIMES) as pool:
        return list(pool.map(send, range(TIMES)))


@pytest.fixture
def user(transactional_db: None) -> User:
    return factories.alice()


@pytest.mark.parametrize("key", ["", "one"])
def test_one_task_is_handed_out(running_site: str, user: User, key: str) -> None:
    grow("P(A? A? A?)")

    answers = at_once(running_site, user, "/tasks/next", {}, key)

    taken = [body["id"] for status, body in answers if status == 200]
    refused = [body["error"]["code"] for status, body in answers if status != 200]
    assert taken
    assert set(taken) == {str(pk) for pk in Task.objects.values_list("pk", flat=True)}
    assert Task.objects.count() == 1
    assert set(refused) <= ({"request_under_way"} if key else set())


def test_one_reply_is_stored_and_told_to_all(running_site: str, user: User) -> None:
    task = factories.hand_out(user, TaskType.ASSISTANT_REPLY, grow("P").root, now=timezone.now())

    answers = at_once(running_site, user, f"/tasks/{task.pk}/reply", {"text": "Because."})

    assert [status for status, _body in answers] == [200] * TIMES
    assert all(body == answers[0][1] for _status, body in answers)
    assert Message.objects.filter(user=user).count() == 1
