"""Searching one's chats by keyboard, on a large screen and on a phone."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from oasst.accounts.models import User
from tests.chat_app import given

HOUSES = "Wie pflege ich alte Häuser auf dem Land am besten?"


@pytest.mark.parametrize("width", [1280, pytest.param(360, marks=pytest.mark.full)])
def test_chats_are_searched_by_keyboard(
    page: Page, sign_in: Callable[[User], None], alice: User, width: int
) -> None:
    chat, _messages = given.thread(alice, HOUSES)
    given.thread(alice, "What is the capital of France?")
    sign_in(alice)
    page.set_viewport_size({"width": width, "height": 740})
    page.goto("/chat/?q=France")

    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search your chats")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("haus -france")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Chats with “haus -france”")
    found = page.locator("main .chat-card")
    expect(found).to_have_count(1)
    expect(found.locator("mark")).to_have_text(["Häuser", "Häuser"])
    found.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/chat/{chat.pk}/"))
