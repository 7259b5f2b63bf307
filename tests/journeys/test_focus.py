"""Whoever goes by Tab sees where they are: nothing covers the focus, and no page traps it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from oasst.accounts.models import User
from tasks_app.enums import TaskType as K
from tasks_app.enums import TreeState
from tests.factories import grow, hand_out

PAGES = ["/dashboard/", "/tasks/", "/messages/", "/contributions/", "/account/", "/guidelines/"]
MOST_STOPS = 150

# Where the focus is, whether any point of it can be seen, and whether it is drawn.
STOP = """() => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const shown = element.matches("input[type=radio], input[type=checkbox]")
        ? element.closest("label") || element : element;
    const box = shown.getBoundingClientRect();
    const parts = [0.1, 0.3, 0.5, 0.7, 0.9];
    const isSeen = parts.some((x) => parts.some((y) => {
        const top = document.elementFromPoint(box.left + x * box.width, box.top + y * box.height);
        return top && (shown.contains(top) || top.contains(shown) && top.closest("main"));
    }));
    return { name: shown.outerHTML.slice(0, 160), isSeen };
}"""


def stops(page: Page) -> list[dict[str, Any]]:
    """Every place the focus comes to, from the top of the page until it leaves it."""
    page.evaluate("document.body.tabIndex = -1; document.body.focus()")
    found = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None:
            return found
        found.append(stop)
    raise AssertionError(f"{page.url} does not let the focus go: {found[-3:]}")


@pytest.fixture
def paths(transactional_db: None, alice: User, bob: User) -> list[str]:
    """The pages, with Alice's tasks and a tree among them."""
    tree = grow("P(A(P) A A?)", author=bob)
    ranked = grow("P(A A A)", state=TreeState.RANKING)
    work = [
        (K.ASSISTANT_REPLY, tree[2]),
        (K.LABEL_ASSISTANT_REPLY, tree[4]),
        (K.RANK_ASSISTANT_REPLIES, ranked.root),
    ]
    tasks = [hand_out(alice, kind, message, now=timezone.now()) for kind, message in work]
    return [*PAGES, f"/trees/{ranked.tree.pk}/", *(f"/tasks/{task.pk}/" for task in tasks)]


@pytest.mark.parametrize("width", [360, pytest.param(1280, marks=pytest.mark.full)])
def test_focus_is_seen_wherever_it_goes(
    page: Page, sign_in: Callable[[User], None], alice: User, paths: list[str], width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    sign_in(alice)
    for path in paths:
        page.goto(path)
        found = stops(page)

        assert (path, [stop["name"] for stop in found if not stop["isSeen"]]) == (path, [])
        assert len(found) > 5
