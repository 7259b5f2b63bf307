"""The page on which replies are put in order: ties, no order at all, and hidden origins."""

import uuid

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import moderation
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Message, Ranking, Task
from tests.factories import Grown, grow
from tests.tasks_app.views import given

pytestmark = pytest.mark.django_db


@pytest.fixture
def grown(db: None) -> Grown:
    """A prompt with three replies."""
    return grow("P(A A A)", state=TreeState.RANKING)


@pytest.fixture
def task(alice: User, grown: Grown) -> Task:
    """A ranking that Alice is to make."""
    return given.task(alice, TaskType.RANK_ASSISTANT_REPLIES, grown.root)


def places(task: Task, *numbers: object) -> dict[str, str]:
    """Numbers for the replies in the order shown."""
    return {f"place_{pk}": str(n) for pk, n in zip(task.shown_ids, numbers, strict=True)}


def test_page_shows_every_reply_with_a_place(web: Client, task: Task, grown: Grown) -> None:
    page = web.get(given.url(task))

    assert page.status_code == 200
    for reply in grown.messages[1:]:
        assert reply.text in page.text
        assert f'name="place_{reply.pk}"' in page.text


def test_submit_stores_the_order(web: Client, task: Task) -> None:
    response = web.post(given.url(task), places(task, 3, 1, 2))

    first, second, third = task.shown_ids
    assert response.status_code == 302
    assert Ranking.objects.get().groups == [[second], [third], [first]]


def test_equal_numbers_are_a_tie(web: Client, task: Task) -> None:
    web.post(given.url(task), places(task, 2, 1, 2))

    first, second, third = task.shown_ids
    assert Ranking.objects.get().groups == [[second], [first, third]]


@pytest.mark.parametrize("verdict", ["all_bad", "cannot_judge"])
def test_no_order_needs_no_places(web: Client, task: Task, verdict: str) -> None:
    web.post(given.url(task), {"verdict": verdict, "reason": "all invent facts"})

    ranking = Ranking.objects.get()
    assert ranking.not_rankable
    assert ranking.reason == f"{verdict}: all invent facts"
    assert ranking.groups == [task.shown_ids]


@pytest.mark.parametrize(
    "numbers", [(1, 2, ""), ("", "", ""), (0, 1, 2), (1, 2, 4), (-1, 1, 2), (1, 2, "x"),
                (1, 2, "NaN"), (1, 2, "9" * 5000), (1, 2, 1.5), (1, 2, "1\x00")],
)  # fmt: skip
def test_places_that_make_no_order_are_refused(
    web: Client, task: Task, numbers: tuple[object, ...]
) -> None:
    page = web.post(given.url(task), places(task, *numbers))

    assert page.status_code == 422
    assert not Ranking.objects.exists()


def test_a_foreign_reply_is_refused(web: Client, task: Task) -> None:
    foreign = {f"place_{uuid.uuid4()}": "1"}

    page = web.post(given.url(task), places(task, 1, 2, 3) | foreign)

    assert page.status_code == 422
    assert not Ranking.objects.exists()


@pytest.mark.parametrize("verdict", ["nonsense", "\x00"])
def test_an_unknown_verdict_is_refused(web: Client, task: Task, verdict: str) -> None:
    page = web.post(given.url(task), places(task, 1, 2, 3) | {"verdict": verdict})

    assert page.status_code == 422
    assert not Ranking.objects.exists()


def test_submit_twice_has_one_effect(web: Client, task: Task) -> None:
    first = web.post(given.url(task), places(task, 1, 2, 3))
    again = web.post(given.url(task), places(task, 1, 2, 3))
    other = web.post(given.url(task), places(task, 3, 2, 1))

    assert (first.status_code, again.status_code, other.status_code) == (302, 302, 409)
    assert Ranking.objects.get().groups == [[pk] for pk in task.shown_ids]


def test_identical_replies_stand_together_as_a_tie(web: Client, task: Task) -> None:
    first, _second, third = task.shown_ids
    Message.objects.filter(pk=first).update(text="The same  words")
    Message.objects.filter(pk=third).update(text="The same words\n")

    cards = web.get(given.url(task)).context["rank_cards"]

    shown = [(str(card["message"].pk), card["is_same_as_above"]) for card in cards]
    assert shown[:2] == [(first, False), (third, True)]
    assert [card["letter"] for card in cards] == ["A", "B", "C"]


def test_the_origin_is_hidden_beside_a_persons_reply(web: Client, task: Task) -> None:
    Message.objects.filter(pk=task.shown_ids[0]).update(synthetic=True, model_name="secret-7b")

    page = web.get(given.url(task))

    assert "Written by a model" not in page.text
    assert "secret-7b" not in page.text
    assert "synthetic" not in page.text


def test_the_origin_is_shown_if_all_are_synthetic(web: Client, task: Task) -> None:
    Message.objects.filter(pk__in=task.shown_ids).update(synthetic=True)

    assert web.get(given.url(task)).text.count("Written by a model") == 3


def test_a_removed_reply_ends_the_task_without_showing_it(
    web: Client, task: Task, mona: User
) -> None:
    removed = Message.objects.get(pk=task.shown_ids[0])
    moderation.delete_message(removed.pk, actor=mona, reason="spam", now=timezone.now())

    page = web.get(given.url(task))

    assert "This task is over" in page.text
    assert removed.text not in page.text


def test_a_draft_of_an_order_comes_back(web: Client, task: Task) -> None:
    web.post(given.url(task, action="draft"), places(task, 2, 1, 3))

    page = web.get(given.url(task))

    values = {str(card["message"].pk): card["field"].value() for card in page.context["rank_cards"]}
    assert [values[pk] for pk in task.shown_ids] == ["2", "1", "3"]


def test_prompts_are_ranked_on_the_same_page(web: Client) -> None:
    prompts = [grow("P", state=TreeState.PROMPT_LOTTERY_WAITING).root for _ in range(3)]

    page = web.get("/tasks/rank_initial_prompts/next/?lang=en", follow=True)
    task = Task.objects.get()
    answer = web.post(given.url(task), places(task, 2, 1, 3))
    stored = web.get(given.url(task))

    assert all(prompt.text in page.text for prompt in prompts)
    assert "Prompt A" in page.text
    assert "Reply A" not in page.text
    assert answer.status_code == 302
    first, second, third = task.shown_ids
    assert Ranking.objects.get(parent=None).groups == [[second], [first], [third]]
    assert all(prompt.text in stored.text for prompt in prompts)
