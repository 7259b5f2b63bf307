"""A newcomer gets in by mail: the real worker sends it, the development mailbox shows it."""

import re
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from oasst.accounts.models import User
from tests import factories


@pytest.fixture
def newcomer() -> str:
    """An address that no earlier mail in the mailbox is for."""
    return f"newcomer-{uuid.uuid4().hex[:8]}@example.org"


def ask_for_mail(page: Page, address: str) -> None:
    page.goto("/accounts/login/")
    page.get_by_role("textbox").first.fill(address)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")


def link_from_mailbox(page: Page, address: str) -> str:
    mail = page.locator(".mails li", has_text=address).first
    for _ in range(40):
        page.goto("/dev/mailbox/")
        if mail.count():
            break
        page.wait_for_timeout(250)
    mail.get_by_role("link").click()
    found = re.search(r"http\S+/accounts/login/link/\S+", page.locator(".mail-text").inner_text())
    assert found is not None
    return found.group(0)


def test_newcomer_signs_in_by_the_link_of_a_mail(page: Page, newcomer: str) -> None:
    ask_for_mail(page, newcomer)
    link = link_from_mailbox(page, newcomer)

    page.goto(link)
    page.get_by_role("button", name="Continue").click()

    expect(page).to_have_url(re.compile(r"/account/welcome/"))
    assert User.objects.filter(email=newcomer).count() == 1


def test_opening_the_link_alone_signs_nobody_in(page: Page, newcomer: str) -> None:
    ask_for_mail(page, newcomer)

    page.goto(link_from_mailbox(page, newcomer))
    page.goto("/account/")

    expect(page).to_have_url(re.compile(r"/accounts/login/"))


def test_alice_signs_in_and_out(page: Page, sign_in: Callable[[User], None]) -> None:
    sign_in(factories.alice())
    page.goto("/account/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()

    page.goto("/accounts/logout/")
    page.locator("main form button").first.click()
    page.goto("/account/")

    expect(page).to_have_url(re.compile(r"/accounts/login/"))
