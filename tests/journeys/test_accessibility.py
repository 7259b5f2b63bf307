"""No page breaks a rule of WCAG 2.2 AA that a program can check, and none is wider than a phone."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import pytest
from playwright.sync_api import Page

from oasst.accounts.models import User
from tasks_app.enums import TaskType, TreeState
from tests.factories import Grown, grow
from tests.journeys.axe import violations

PUBLIC = ["/", "/guidelines/", "/terms/", "/privacy/", "/accounts/login/"]
OWN = ["/dashboard/", "/tasks/", "/messages/", "/contributions/", "/account/"]
# The usual configuration asks only for this kind of ranking; the others have nothing to give.
KINDS = [kind for kind in TaskType if not kind.is_ranking] + [TaskType.RANK_ASSISTANT_REPLIES]
NOTHING = "/tasks/rank_prompter_replies/next/"


@dataclass(frozen=True)
class Look:
    theme: str
    on_phone: bool
    direction: str

    def __str__(self) -> str:
        return f"{self.theme}-{'phone' if self.on_phone else 'desktop'}-{self.direction}"


# The first is the usual one.
LOOKS = [Look(*look) for look in product(("light", "dark"), (False, True), ("ltr", "rtl"))]


@pytest.fixture(
    params=[LOOKS[0], *(pytest.param(look, marks=pytest.mark.full) for look in LOOKS[1:])],
    ids=str,
)
def look(request: pytest.FixtureRequest) -> Look:
    return request.param


@pytest.fixture
def show(page: Page, look: Look) -> Callable[[str], None]:
    """Open a page in a look."""
    page.emulate_media(color_scheme="dark" if look.theme == "dark" else "light")
    if look.on_phone:
        page.set_viewport_size({"width": 360, "height": 740})

    def go(path: str) -> None:
        page.goto(path)
        page.evaluate("direction => { document.documentElement.dir = direction; }", look.direction)

    return go


@pytest.fixture
def work(transactional_db: None) -> list[Grown]:
    """Something to do of every kind."""
    return [
        grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW),
        grow("P(A? A(P?))"),
        grow("P(A(P) A)"),
        grow("P(A A A)", state=TreeState.RANKING),
    ]


def problems(page: Page) -> list[str]:
    found = violations(page)
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return found if width[0] <= width[1] else [*found, f"{width[0]} px wide"]


def test_check_finds_a_button_without_words(page: Page) -> None:
    page.goto("/terms/")
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")

    assert [line.split(":")[0] for line in problems(page)] == ["button-name"]


def test_public_pages(page: Page, show: Callable[[str], None]) -> None:
    for path in PUBLIC:
        show(path)
        assert (path, problems(page)) == (path, [])


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
    for path in [*OWN, NOTHING, tree, message]:
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
    for kind in KINDS:
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
