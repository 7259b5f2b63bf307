"""The page on which replies are put in order: ties, and no order at all."""

import uuid

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import moderation
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Message, Ranking, Task
from tests.factories import Grown, grow
from tests.sessions import SignIn
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

    replies = [card["reply"] for card in cards]
    shown = [(str(reply.message.pk), reply.is_same_as_above) for reply in replies]
    assert shown[:2] == [(first, False), (third, True)]
    assert [reply.letter for reply in replies] == ["A", "B", "C"]


@pytest.mark.parametrize("numbers", [(1, 2, ""), ("", 2, 1)])
def test_identical_reply_without_a_place_takes_that_of_its_twin(
    web: Client, task: Task, numbers: tuple[object, ...]
) -> None:
    first, second, third = task.shown_ids
    Message.objects.filter(pk__in=(first, third)).update(text="The same words")

    web.post(given.url(task), places(task, *numbers))

    assert Ranking.objects.get().groups == [[first, third], [second]]


def test_identical_replies_may_be_put_on_different_places(web: Client, task: Task) -> None:
    Message.objects.filter(pk__in=task.shown_ids).update(text="The same words")

    web.post(given.url(task), places(task, 1, 2, 3))

    assert Ranking.objects.get().groups == [[pk] for pk in task.shown_ids]


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

    cards = page.context["rank_cards"]
    values = {str(card["reply"].message.pk): card["field"].value() for card in cards}
    assert [values[pk] for pk in task.shown_ids] == ["2", "1", "3"]


def test_prompts_are_ranked_on_the_same_page(web: Client) -> None:
    prompts = [grow("P", state=TreeState.PROMPT_LOTTERY_WAITING).root for _ in range(3)]

    page = web.get("/tasks/rank_initial_prompts/next/?lang=en", follow=True)
    task = Task.objects.get()
    answer = web.post(given.url(task), places(task, 2, 1, 3))
    stored = web.get(given.url(task))

    assert all(prompt.text in page.text for prompt in prompts)
    assert "Prompt A" in page.text
    assert 'aria-label="Prompts to rank"' in page.text
    assert "Reply A" not in page.text
    assert "Replies to rank" not in page.text
    assert answer.status_code == 302
    first, second, third = task.shown_ids
    assert Ranking.objects.get(parent=None).groups == [[second], [first], [third]]
    assert all(prompt.text in stored.text for prompt in prompts)


# Two replies beside each other


def compare(web: Client, task: Task, query: str = "") -> HttpResponse:
    return web.get(given.url(task, action="differences") + query)


def test_differences_mark_what_only_one_reply_says(web: Client, task: Task) -> None:
    first, second, _third = task.shown_ids
    Message.objects.filter(pk=first).update(text="Bake it <b>hot</b>.")
    Message.objects.filter(pk=second).update(text="Bake it very <b>hot</b>.")

    page = compare(web, task, "?a=A&b=B")

    assert "Bake it <mark>very </mark>&lt;b&gt;hot&lt;/b&gt;." in page.text
    assert page.text.index(">Reply A</h3>") < page.text.index(">Reply B</h3>")
    assert "<html" in page.text
    by_default = compare(web, task).context["form"]
    assert (by_default["a"].value(), by_default["b"].value()) == ("A", "B")


def test_differences_come_as_a_fragment_to_the_script(web: Client, task: Task) -> None:
    url = given.url(task, action="differences")

    assert "<html" not in web.get(url + "?a=C&b=C", headers={"hx-request": "true"}).text
    assert "Word by word the same" in compare(web, task, "?a=C&b=C").text


def test_differences_of_replies_that_are_not_there_are_refused(web: Client, task: Task) -> None:
    assert compare(web, task, "?a=Z").status_code == 422


def test_differences_end_with_the_task(
    web: Client, sign_in: SignIn, task: Task, alice: User, bob: User
) -> None:
    review = given.task(alice, TaskType.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1])

    assert compare(web, review).status_code == 404
    assert compare(sign_in(bob), task).status_code == 404
    web.post(given.url(task), places(task, 3, 1, 2))
    assert compare(web, task).status_code == 409
