"""The page of a gold item is that of any other review, and what it was is told afterwards."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import gold_items, selection
from tasks_app.config import overridden
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Message, Task
from tests.factories import CHANCE, GOOD, NOW, SPAM, grow

pytestmark = pytest.mark.django_db

LABEL = TaskType.LABEL_ASSISTANT_REPLY


@pytest.fixture
def gold_message(mona: User) -> Message:
    grow("P(A?)")
    grown = grow("P(A- A)", state=TreeState.ABORTED_LOW_GRADE)
    why = "It sells soap to somebody who asked for bread."
    gold_items.make(grown[1].pk, SPAM, explanation=why, actor=mona, now=NOW)
    return grown[1]


def take(user: User, chance: float) -> Task:
    with overridden(p_gold=chance, p_gold_newcomer=chance):
        return selection.next_task(user, LABEL, now=timezone.now(), rng=CHANCE)


def shown(client: Client, task: Task) -> tuple[str, int]:
    """The page without what differs between any two reviews: ids, texts, tokens and times."""
    with CaptureQueriesContext(connection) as queries:
        response = client.get(f"/tasks/{task.pk}/")
    page = response.content.decode()
    for pattern in (
        r"[0-9a-f]{8}-[0-9a-f-]{27}",
        r"Message \d of the tree",
        r'(?<=name="csrfmiddlewaretoken" value=")\w+',
        r'(?<=CSRFToken": ")\w+',
        r"\d{4}-\d\d-\d\dT[\d:.+]+",
        r'(?<=nonce=")[^"]+',
    ):
        page = re.sub(pattern, "…", page)
    return page, len(queries)


def test_page_does_not_betray_gold(
    client: Client, gold_message: Message, alice: User, bob: User
) -> None:
    client.force_login(alice)
    real = shown(client, take(alice, 0.0))
    client.force_login(bob)
    task = take(bob, 1.0)
    assert task.gold_id == gold_message.pk

    page, queries = shown(client, task)

    assert page.replace("Bob", "Alice").replace("bob", "alice") == real[0]
    assert queries == real[1]
    assert "gold" not in page.lower()


def test_handing_out_gold_takes_as_many_queries(
    gold_message: Message, alice: User, bob: User
) -> None:
    counts = []
    for user, chance in ((alice, 0.0), (bob, 1.0)):
        with CaptureQueriesContext(connection) as queries:
            take(user, chance)
        counts.append(len(queries))

    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("values", "words"),
    [(SPAM, "Just what was known"), (GOOD, "Others saw this message differently")],
)
def test_answer_is_explained_kindly(
    client: Client, gold_message: Message, alice: User, values: dict[str, float], words: str
) -> None:
    client.force_login(alice)
    task = take(alice, 1.0)

    response = client.post(f"/tasks/{task.pk}/", {"spam": f"{values['spam']:g}"}, follow=True)

    page = response.content.decode()
    assert response.redirect_chain == [(f"/tasks/{task.pk}/", 302)]
    assert words in page
    assert "It sells soap to somebody who asked for bread." in page
    assert "undo" not in page.lower()


def test_explanation_is_not_told_before_the_answer(
    client: Client, gold_message: Message, alice: User
) -> None:
    client.force_login(alice)
    task = take(alice, 1.0)

    page = client.get(f"/tasks/{task.pk}/").content.decode()

    assert "It sells soap" not in page
