"""No page breaks a rule of WCAG 2.2 AA that a program can check, and none is wider than a phone."""

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Page

from leaderboard_app import daily
from oasst.accounts.models import User
from tasks_app.enums import TaskType
from tests.factories import Grown
from tests.journeys.looks import problems
from tests.journeys.work import something_of_every_kind

PUBLIC = ["/", "/guidelines/", "/terms/", "/privacy/", "/accounts/login/"]
OWN = [
    "/leaderboard/",
    "/leaderboard/points/",
    "/dashboard/",
    "/tasks/",
    "/tasks/queues/",
    "/messages/",
    "/contributions/",
    "/account/",
    "/notifications/",
    "/account/notifications/",
]


@pytest.fixture
def work(transactional_db: None) -> list[Grown]:
    return something_of_every_kind()


def test_check_finds_buttons_without_words_and_too_small(page: Page) -> None:
    page.goto("/terms/")
    page.evaluate(
        """() => [1, 2, 3].forEach(() => {
            const button = document.createElement("button");
            button.style.cssText = "all: unset; display: inline-block; width: 9px; height: 9px";
            document.querySelector("main").append(button);
        })"""
    )

    assert [line.split(":")[0] for line in problems(page)] == ["button-name", "target-size"]


def test_public_pages(page: Page, show: Callable[[str], None]) -> None:
    for path in PUBLIC:
        show(path)
        assert (path, problems(page)) == (path, [])


def test_statistics(page: Page, show: Callable[[str], None], work: list[Grown]) -> None:
    daily.recount(now=timezone.now())
    cache.clear()
    show("/stats/?span=all")
    page.get_by_text("Table").first.click()

    assert page.locator(".plot-svg").count() > 4
    assert problems(page) == []


def test_pages_of_a_contributor(
    page: Page,
    sign_in: Callable[[User], None],
    alice: User,
    work: list[Grown],
    show: Callable[[str], None],
) -> None:
    sign_in(alice)
    tree = f"/trees/{work[2].tree.pk}/"
    message = f"/messages/{work[2].root.pk}/"
    for path in [*OWN, tree, message]:
        show(path)
        assert (path, problems(page)) == (path, [])


def test_task_pages(
    page: Page,
    sign_in: Callable[[User], None],
    alice: User,
    work: list[Grown],
    show: Callable[[str], None],
) -> None:
    sign_in(alice)
    for kind in TaskType:
        show(f"/tasks/{kind}/next/")
        assert (kind, page.locator("#task-form").count()) == (kind, 1)
        assert (kind, problems(page)) == (kind, [])


def test_open_menu_dialog_and_guide(
    page: Page,
    sign_in: Callable[[User], None],
    alice: User,
    work: list[Grown],
    show: Callable[[str], None],
) -> None:
    sign_in(alice)
    show("/dashboard/")
    page.locator("summary", has_text="Account menu").click()
    assert problems(page) == []
    page.get_by_role("button", name="Keyboard shortcuts").click()
    assert problems(page) == []

    show("/tasks/label_assistant_reply/next/")
    page.get_by_role("button", name="Guide").click()
    assert problems(page) == []
