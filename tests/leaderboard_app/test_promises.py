"""The toast after a submit says what it may bring: what the ledger then holds."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from leaderboard_app import ledger
from leaderboard_app.models import PointEntry
from oasst.accounts.models import User
from tasks_app.enums import FormMode, TaskType, TreeState
from tasks_app.models import Task
from tests.factories import grow
from tests.leaderboard_app.given import A_MINUTE
from tests.tasks_app.views import given

pytestmark = pytest.mark.django_db

TEXT = {"text": "Mix flour and water, then wait."}
NO_SPAM = {"spam": "0"}


def promised(web: Client, task: Task, answer: dict[str, str], *, ago: timedelta = A_MINUTE) -> str:
    """The link in the toast after `task`, handed out so long ago, was answered."""
    Task.objects.filter(pk=task.pk).update(created_at=task.created_at - ago)
    page = web.post(given.url(task), answer, follow=True)
    found = re.findall(r'<a class="toast-points" href="/leaderboard/points/">(.*?)</a>', page.text)
    return found[0] if found else ""


@pytest.mark.parametrize(
    ("kind", "drawing", "answer", "words"),
    [
        (TaskType.INITIAL_PROMPT, "", TEXT, "+0.1 points pending"),
        (TaskType.ASSISTANT_REPLY, "P", TEXT, "+4 points pending"),
        (TaskType.PROMPTER_REPLY, "P(A A)", TEXT, "+1 point pending"),
        (TaskType.LABEL_ASSISTANT_REPLY, "P(A?)", NO_SPAM, "+2 points pending"),
    ],
)
def test_toast_promises_what_the_ledger_then_holds(
    web: Client, alice: User, kind: TaskType, drawing: str, answer: dict[str, str], words: str
) -> None:
    messages = grow(drawing).messages if drawing else []
    message = messages[0 if kind == TaskType.ASSISTANT_REPLY else 1] if messages else None

    assert promised(web, given.task(alice, kind, message), answer) == words

    ledger.catch_up(now=timezone.now())
    entry = PointEntry.objects.get(user=alice)
    assert entry.state == "pending"
    assert words.startswith(f"+{entry.points.normalize():f} ")


def test_short_form_brings_one_point(web: Client, alice: User) -> None:
    task = given.task(alice, TaskType.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1])
    Task.objects.filter(pk=task.pk).update(form_mode=FormMode.SIMPLE)

    assert promised(web, task, NO_SPAM) == "+1 point pending"


def test_nothing_is_promised_for_what_nobody_can_have_read(web: Client, alice: User) -> None:
    task = given.task(alice, TaskType.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1])

    assert promised(web, task, NO_SPAM, ago=timedelta()) == ""


def test_order_of_prompts_counts_at_once(web: Client, alice: User) -> None:
    for _ in range(2):
        grow("P", state=TreeState.PROMPT_LOTTERY_WAITING)
    task = given.task(alice, TaskType.RANK_INITIAL_PROMPTS)
    places = {f"place_{pk}": str(place) for place, pk in enumerate(task.shown_ids, start=1)}

    assert promised(web, task, places) == "+1 point"


def test_skip_promises_nothing(web: Client, alice: User) -> None:
    task = given.task(alice, TaskType.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1])

    page = web.post(given.url(task, action="skip"), {"reason": "Hm."}, follow=True)

    assert "Skipped." in page.text
    assert "toast-points" not in page.text
