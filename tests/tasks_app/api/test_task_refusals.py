"""Who may call the operations about tasks, and what everybody else is told."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from oasst.accounts import tokens
from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from tasks_app import selection
from tasks_app.enums import TaskType
from tasks_app.models import Task, TextLabels
from tests import factories
from tests.calling import Program, code_of, token_of
from tests.factories import grow

pytestmark = pytest.mark.django_db
LABEL = TaskType.LABEL_ASSISTANT_REPLY


def review_of(user: User) -> Task:
    """A review that somebody has in hand."""
    return factories.hand_out(user, LABEL, grow("P(A?)")[1], now=timezone.now())


CALLS: list[tuple[str, str, Any]] = [
    ("get", "/tasks/available", None),
    ("get", "/tasks", None),
    ("post", "/tasks/next", {}),
    ("get", "/tasks/{task}", None),
    ("get", "/tasks/kept", None),
    ("put", "/tasks/{task}/draft", {"text": "x"}),
    ("delete", "/tasks/{task}/draft", None),
    ("post", "/tasks/{task}/reclaim", None),
    ("post", "/tasks/{task}/extend", None),
    ("post", "/tasks/{task}/skip", {}),
    ("post", "/tasks/{task}/reply", {"text": "x"}),
    ("post", "/tasks/{task}/labels", {"labels": {"spam": 0}}),
    ("post", "/tasks/{task}/ranking", {"groups": []}),
    ("post", "/tasks/{task}/undo", None),
]


@pytest.mark.parametrize(("method", "path", "body"), [call for call in CALLS if "{" in call[1]])
def test_tasks_of_others_do_not_exist(
    alice: User, bob: User, method: str, path: str, body: Any
) -> None:
    task = review_of(alice)

    response = Program(token_of(bob)).call(method, path.format(task=task.pk), body)

    assert code_of(response) == (404, "task_not_found")
    task.refresh_from_db()
    assert task.is_open


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_token_is_needed_and_its_scope(alice: User, method: str, path: str, body: Any) -> None:
    task = review_of(alice)
    full = path.format(task=task.pk)
    right = Scope.READ_TASKS if method == "get" else Scope.WRITE_TASKS
    others = [scope for scope in Scope if scope != right]

    nobody = Program("").call(method, full, body)
    narrow = Program(token_of(alice, *others)).call(method, full, body)

    assert code_of(nobody) == (401, "token_missing")
    assert code_of(narrow) == (403, "scope_missing")
    assert narrow.json()["error"]["details"] == {"missing_scopes": [right.value]}
    assert not TextLabels.objects.filter(user=alice).exists()


def test_expired_token_is_refused(alice: User) -> None:
    now = timezone.now()
    end = now - timedelta(seconds=1)
    _row, key = tokens.create(alice, "Old", [Scope.READ_TASKS], now=now, expires_at=end)

    assert code_of(Program(key).call("get", "/tasks")) == (401, "token_invalid")


@pytest.mark.parametrize(
    ("method", "path", "body"), [call for call in CALLS if call[0] not in ("get", "delete")]
)
def test_muted_person_may_look_and_do_nothing(
    alice: User, method: str, path: str, body: Any
) -> None:
    task = review_of(alice)
    until = timezone.now() + timedelta(hours=1)
    User.objects.filter(pk=alice.pk).update(muted_until=until)
    muted = Program(token_of(alice))

    response = muted.call(method, path.format(task=task.pk), body)

    assert code_of(response) == (403, "not_allowed")
    assert muted.get(f"/tasks/{task.pk}")["id"] == str(task.pk)


def test_banned_person_is_nobody(alice: User) -> None:
    key = token_of(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)

    assert code_of(Program(key).call("post", "/tasks/next", {})) == (401, "token_invalid")
    assert not Task.objects.exists()


def test_pages_and_programs_share_their_tasks(program: Program, alice: User, web: Any) -> None:
    grow("P(A?)")
    task = selection.next_task(alice, str(LABEL), now=timezone.now(), rng=factories.CHANCE)

    assert program.call("post", "/tasks/next", {}).json()["id"] == str(task.pk)
    assert web.get(f"/tasks/{task.pk}/").status_code == 200
