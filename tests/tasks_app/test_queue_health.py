"""What waits: counted by kind and language, by age, and shown to those who may see it."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app.enums import TaskType
from tasks_app.models import Offer
from tasks_app.queue_health import as_if_taken, queues
from tests.factories import NOW, alice, grow, mona

pytestmark = pytest.mark.django_db


def wait(lang: str, *ages: timedelta, kind: TaskType = TaskType.ASSISTANT_REPLY) -> None:
    """One free place of each age."""
    for age in ages:
        grown = grow("P", lang=lang, now=NOW)
        Offer.objects.filter(tree=grown.tree).delete()
        Offer.objects.create(
            message=grown.root,
            tree=grown.tree,
            kind=kind,
            lang=lang,
            slots=1,
            shuffle=0.5,
            since=NOW - age,
        )


def test_places_that_count_as_taken_are_of_the_newest_work() -> None:
    wait("en", timedelta(minutes=5), timedelta(hours=2), timedelta(days=8))
    wait("de", timedelta(minutes=5))
    kind = TaskType.ASSISTANT_REPLY

    left = as_if_taken(queues(now=NOW), [("en", kind), ("en", kind), ("de", kind)])

    assert [(queue.lang, queue.slots, queue.by_age) for queue in left] == [("en", 1, (0, 0, 0, 1))]


def page(client: Client, user: User, address: str = "/tasks/queues/") -> str:
    client.force_login(user)
    response = client.get(address)
    assert response.status_code == 200
    main: str = response.content.decode().partition("<main")[2].partition("</main>")[0]
    return main


def test_queue_counts_each_place_once_by_its_age() -> None:
    ages = [timedelta(minutes=5), timedelta(hours=1), timedelta(days=2), timedelta(days=30)]
    wait("en", *ages)

    (queue,) = queues(now=NOW)

    assert (queue.slots, queue.by_age) == (4, (1, 1, 1, 1))
    assert queue.age == timedelta(days=30)


def test_queue_that_waits_longest_comes_first_and_taken_places_do_not_wait() -> None:
    wait("de", timedelta(hours=2))
    wait("en", timedelta(days=2), kind=TaskType.LABEL_INITIAL_PROMPT)
    wait("fr", timedelta(days=9))
    Offer.objects.filter(lang="fr").update(slots=0)

    found = [(queue.lang, queue.kind) for queue in queues(now=NOW)]

    assert found == [("en", TaskType.LABEL_INITIAL_PROMPT), ("de", TaskType.ASSISTANT_REPLY)]
    assert queues(now=NOW, langs=[]) == []


def test_queue_starves_after_a_week() -> None:
    wait("en", timedelta(days=6, hours=23))
    wait("de", timedelta(days=7))

    assert [(queue.lang, queue.is_starving) for queue in queues(now=NOW)] == [
        ("de", True),
        ("en", False),
    ]


def test_contributor_sees_own_languages_with_a_link_that_hands_out_the_task(client: Client) -> None:
    wait("en", timezone.now() - NOW)
    wait("de", timedelta())

    shown = page(client, alice(), "/tasks/queues/?all=1")

    assert 'href="/tasks/assistant_reply/next/?lang=en"' in shown
    assert "starving" in shown
    assert "Deutsch" not in shown


def test_link_of_a_queue_leads_to_a_task_of_that_kind(client: Client) -> None:
    wait("en", timedelta())
    client.force_login(alice())

    response = client.get("/tasks/assistant_reply/next/?lang=en", follow=True)

    assert response.context["task"].kind == TaskType.ASSISTANT_REPLY


def test_staff_see_all_languages_and_take_only_from_their_own(client: Client) -> None:
    wait("en", timedelta())
    wait("de", timedelta())

    shown = page(client, mona(), "/tasks/queues/?all=1")

    assert "Deutsch" in shown
    assert "lang=de" not in shown
    assert "lang=en" in shown
    assert "Deutsch" not in page(client, mona())


def test_page_with_nothing_that_waits_says_so(client: Client) -> None:
    assert "Nothing waits" in page(client, alice())


def test_page_asks_as_often_for_three_queues_as_for_one(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    wait("en", timedelta())
    page(client, mona())
    with django_assert_max_num_queries(30) as one:
        client.get("/tasks/queues/?all=1")
    wait("de", timedelta())
    wait("fr", timedelta())

    with django_assert_max_num_queries(30) as three:
        client.get("/tasks/queues/?all=1")

    assert len(three) == len(one)
