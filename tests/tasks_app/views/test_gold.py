"""The page of a gold item is that of any other review, and what it was is told afterwards."""

import html
import re

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import gold_items, selection
from tasks_app.config import overridden
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Message, Report, Task
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


# What differs between any two reviews: ids, texts, tokens, times and names.
DIFFERENT = re.compile(
    r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}"
    r"|Message \d of the tree"
    r'|(?<=name="csrfmiddlewaretoken" value=")\w+'
    r'|(?<=CSRFToken": ")\w+'
    r"|\d{4}-\d\d-\d\dT[\d:.+]+"
    r'|(?<=nonce=")[^"]+'
    r"|alice|bob|(?<=aria-hidden=\"true\">)[AB](?=<)",
    re.IGNORECASE,
)
LINK = re.compile(r'(?:href|hx-get)="(/[^"#]*)')


def shown(client: Client, url: str, body: dict[str, str] | None = None) -> tuple[str, int, int]:
    """A page, or the answer to a form, without what always differs; its status; the queries."""
    with CaptureQueriesContext(connection) as queries:
        response = client.get(url) if body is None else client.post(url, body)
    where = response.headers.get("Location", "")
    page = DIFFERENT.sub("…", where + response.content.decode())
    return page, response.status_code, len(queries)


def everything_about(client: Client, task: Task) -> dict[str, tuple[str, int, int]]:
    """All that a person gets to see of what they review, after having reported it too."""
    message = task.message
    assert message is not None
    about = f"/messages/{message.pk}/"
    links = LINK.findall(client.get(f"/tasks/{task.pk}/").content.decode())
    urls = [html.unescape(link) for link in links if not link.startswith(("/static/", "/media/"))]
    assert any(url.startswith(f"{about}report/") for url in urls)
    urls += [about, f"{about}react/", f"{about}labels/", f"/trees/{message.tree_id}/"]
    seen = {DIFFERENT.sub("…", url): shown(client, url) for url in urls}
    seen["report"] = shown(client, f"{about}report/", {"category": "spam", "text": "Soap!"})
    seen["react"] = shown(client, f"{about}react/", {"code": "+1"})
    seen["label"] = shown(client, f"{about}labels/", {"spam": "1", "lang_mismatch": "0"})
    seen["afterwards"] = shown(client, "/contributions/")
    for query in ("", "?state=accepted", "?state=review"):
        seen[f"is listed {query}"] = (about in client.get(f"/messages/{query}").text, 0, 0)
    return seen


@time_machine.travel(NOW, tick=False)  # pages tell times to the minute
def test_page_does_not_betray_gold(
    client: Client, gold_message: Message, alice: User, bob: User
) -> None:
    client.force_login(alice)
    real = shown(client, f"/tasks/{take(alice, 0.0).pk}/")
    client.force_login(bob)
    task = take(bob, 1.0)
    assert task.gold_id == gold_message.pk

    page = shown(client, f"/tasks/{task.pk}/")

    assert page == real
    assert "gold" not in page[0].lower()


@time_machine.travel(NOW, tick=False)
@pytest.mark.parametrize(
    "drawing",
    [
        pytest.param("P(A- A)", id="rejected"),
        pytest.param("P(A(P) A)", marks=pytest.mark.full, id="accepted"),
    ],
)
def test_nothing_betrays_gold(
    client: Client, drawing: str, mona: User, alice: User, bob: User
) -> None:
    grow("P(A? A)")
    gold = grow(drawing, state=TreeState.READY_FOR_EXPORT)[1]
    gold_items.make(gold.pk, SPAM, explanation="Soap.", actor=mona, now=NOW)
    client.force_login(alice)
    real = everything_about(client, take(alice, 0.0))
    client.force_login(bob)
    task = take(bob, 1.0)
    assert task.message == gold

    about_gold = everything_about(client, task)

    assert about_gold == real
    assert about_gold["report"][1] == 302
    assert not about_gold["is listed "][0]
    assert Report.objects.get(user=bob).message == gold


@pytest.mark.parametrize("chance", [0.0, 1.0], ids=["real", "gold"])
def test_counts_of_what_waits_do_not_betray_gold(
    client: Client, gold_message: Message, bob: User, chance: float
) -> None:
    client.force_login(bob)

    def counts() -> tuple[int, int, int]:
        home, queues = client.get("/dashboard/").context, client.get("/tasks/queues/").context
        reviews = [entry["queue"] for entry in queues["queues"] if entry["kind"].code == LABEL]
        return home["available"], home["waiting"][0].review, sum(r.slots for r in reviews)

    available, waiting, places = counts()
    task = take(bob, chance)

    assert bool(task.gold_id) == bool(chance)
    assert counts() == (available - 1, waiting - 1, places - 1)


def test_what_gold_was_shows_once_it_is_answered(
    client: Client, gold_message: Message, bob: User
) -> None:
    client.force_login(bob)
    task = take(bob, 1.0)
    client.post(f"/tasks/{task.pk}/", {"spam": "1"})

    assert "Not accepted" in client.get(f"/messages/{gold_message.pk}/").text
    assert client.get(f"/messages/{gold_message.pk}/report/").status_code == 404


def test_nobody_gets_gold_from_a_tree_they_wrote_in(bob: User, mona: User) -> None:
    grow("P(A?)")
    gold = grow("P(A-)", authors={0: bob}, state=TreeState.ABORTED_LOW_GRADE)[1]
    gold_items.make(gold.pk, SPAM, explanation="Soap.", actor=mona, now=NOW)

    assert take(bob, 1.0).gold_id is None


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
