"""Every kind of work by mouse, by keyboard alone and without scripts, from the list of tasks on."""

from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from oasst.accounts.models import User
from tasks_app.enums import FormMode
from tasks_app.enums import TaskType as K
from tasks_app.models import Message, Ranking, Task, TextLabels
from tests.factories import Grown, grow, hand_out
from tests.journeys.work import something_of_every_kind

PageOf = Callable[..., Page]
WORK = "**/tasks/*-*-*/"
MOST_TABS = 80
# One of those that write, review and rank, whose pages differ in little but words; then all.
A_FEW = [K.INITIAL_PROMPT, K.LABEL_ASSISTANT_REPLY, K.RANK_ASSISTANT_REPLIES]
kinds_to_do = pytest.mark.parametrize(
    "kinds", [A_FEW, pytest.param(list(K), marks=pytest.mark.full)], ids=["few", "all"]
)


@pytest.fixture
def work(transactional_db: None) -> list[Grown]:
    return something_of_every_kind()


def text_for(kind: K) -> str:
    return f"My words for the task {kind}."


def word_for(kind: K) -> str:
    """What a ranking calls the texts that it shows."""
    return "Prompt" if kind == K.RANK_INITIAL_PROMPTS else "Reply"


def answer(page: Page, name: str, value: str) -> Locator:
    """What one clicks to answer; the radio button itself is hidden."""
    return page.locator("label", has=page.locator(f"[name={name}][value='{value}']"))


def card_of(page: Page, kind: K) -> Locator:
    page.goto("/tasks/")
    return page.locator(f"a.task-card[href^='/tasks/{kind}/next/']")


def check_stored(kind: K, user: User) -> None:
    """One effect, the one intended."""
    if kind.is_writing:
        assert Message.objects.filter(user=user, text=text_for(kind)).count() == 1
    elif kind.is_labeling:
        values = TextLabels.objects.get(user=user, task__kind=kind).values
        assert (values["spam"], values["quality"]) == (0.0, 0.75)
        assert "creativity" not in values
    else:
        task = Task.objects.get(user=user, kind=kind)
        first, second, third = task.shown_ids
        assert Ranking.objects.get(task=task).groups == [[third], [first], [second]]


def test_every_kind_by_mouse(
    page_of: PageOf, alice: User, work: list[Grown], subtests: pytest.Subtests
) -> None:
    page = page_of(alice)
    for kind in K:
        with subtests.test(str(kind)):
            card_of(page, kind).click()
            page.wait_for_url(WORK)
            if kind.is_writing:
                page.locator("textarea[name=text]").click()
                page.keyboard.insert_text(text_for(kind))
            elif kind.is_labeling:
                answer(page, "spam", "0").click()
                answer(page, "quality", "0.75").click()
            else:
                up = page.get_by_role("button", name=f"Move {word_for(kind)} C up")
                up.click()
                up.click()
            page.get_by_role("button", name="Submit and next").click()

            expect(page.locator(".toast")).to_contain_text("Thank you")
            check_stored(kind, alice)


def tab_to(target: Locator) -> None:
    """Reach an element as people without a mouse do."""
    for _ in range(MOST_TABS):
        if target.evaluate("element => element === document.activeElement"):
            return
        target.page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached by Tab")


@kinds_to_do
def test_every_kind_by_keyboard_alone(
    page_of: PageOf, alice: User, work: list[Grown], kinds: list[K], subtests: pytest.Subtests
) -> None:
    page = page_of(alice)
    for kind in kinds:
        with subtests.test(str(kind)):
            tab_to(card_of(page, kind))
            page.keyboard.press("Enter")
            page.wait_for_url(WORK)
            if kind.is_writing:
                page.keyboard.type(text_for(kind))
            elif kind.is_labeling:
                tab_to(page.locator("[name=spam]").first)
                page.keyboard.press("1")
                tab_to(page.locator("[name=quality]:checked"))
                page.keyboard.press("4")
            else:
                tab_to(page.get_by_role("listitem", name=f"{word_for(kind)} C", exact=True))
                page.keyboard.press("1")
            page.keyboard.press("Control+Enter")

            expect(page.locator(".toast")).to_contain_text("Thank you")
            check_stored(kind, alice)


@kinds_to_do
def test_every_kind_without_scripts(
    page_of: PageOf, alice: User, work: list[Grown], kinds: list[K], subtests: pytest.Subtests
) -> None:
    page = page_of(alice, java_script_enabled=False)
    for kind in kinds:
        with subtests.test(str(kind)):
            card_of(page, kind).click()
            page.wait_for_url(WORK)
            if kind.is_writing:
                page.locator("textarea[name=text]").fill(text_for(kind))
            elif kind.is_labeling:
                answer(page, "spam", "0").click()
                answer(page, "quality", "0.75").click()
            else:
                places = page.locator(".rank-number input").all()
                for field, place in zip(places, ("2", "3", "1"), strict=True):
                    field.fill(place)
            page.get_by_role("button", name="Submit and next").click()

            expect(page.locator(".toast")).to_contain_text("Thank you")
            check_stored(kind, alice)


@pytest.fixture
def short_review(transactional_db: None, alice: User) -> str:
    """The address of a review with the simple form."""
    reply = grow("P(A?)")[1]
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY, reply, now=timezone.now())
    Task.objects.filter(pk=task.pk).update(form_mode=FormMode.SIMPLE)
    return f"/tasks/{task.pk}/"


@pytest.mark.parametrize("scripts", [True, False])
def test_short_review_asks_one_question_and_folds_the_rest(
    page_of: PageOf, alice: User, short_review: str, scripts: bool
) -> None:
    page = page_of(alice, java_script_enabled=scripts)
    page.goto(short_review)
    expect(page.get_by_role("group", name="Quality")).to_be_hidden()

    answer(page, "spam", "0").click()
    page.get_by_text("Say more about it").click()
    answer(page, "quality", "1").click()
    page.get_by_role("button", name="Submit and next").click()

    expect(page.locator(".toast")).to_contain_text("Thank you")
    assert TextLabels.objects.get(user=alice).values["quality"] == 1.0


def test_short_review_by_keyboard_alone(page_of: PageOf, alice: User, short_review: str) -> None:
    page = page_of(alice)
    page.goto(short_review)

    tab_to(page.locator("[name=spam]").first)
    page.keyboard.press("2")
    page.keyboard.press("Control+Enter")

    expect(page.locator(".toast")).to_contain_text("Thank you")
    values = TextLabels.objects.get(user=alice).values
    assert (values["spam"], "quality" in values) == (1.0, False)
