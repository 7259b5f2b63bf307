"""Asking for mails and reading them in the development mailbox."""

import re

from playwright.sync_api import Page, expect


def ask_for_mail(page: Page, address: str, *, from_here: bool = False) -> None:
    if not from_here:
        page.goto("/accounts/login/")
    page.get_by_role("textbox").first.fill(address)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")


def mail_text(page: Page, address: str) -> str:
    """The newest mail to an address, once it is there."""
    mail = page.locator(".mails li", has_text=address).first
    for _ in range(40):
        page.goto("/dev/mailbox/")
        if mail.count():
            break
        page.wait_for_timeout(250)
    mail.get_by_role("link").click()
    return page.locator(".mail-text").inner_text()


def link_from_mailbox(page: Page, address: str) -> str:
    found = re.search(r"http\S+/accounts/login/link/\S+", mail_text(page, address))
    assert found is not None
    return found.group(0)
