"""A newcomer gets in by mail: the real worker sends it, the development mailbox shows it."""

import re

from django.conf import settings
from playwright.sync_api import Page, expect

from oasst.accounts.models import User
from tests.journeys.mails import ask_for_mail, link_from_mailbox


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


def test_contributor_signs_in_and_out(page: Page, newcomer: str) -> None:
    User.objects.create_user(newcomer, tos_version=settings.TOS_VERSION)
    ask_for_mail(page, newcomer)
    page.goto(link_from_mailbox(page, newcomer))
    page.get_by_role("button", name="Continue").click()
    page.goto("/account/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()

    page.goto("/accounts/logout/")
    page.locator("main form button").first.click()
    page.goto("/account/")

    expect(page).to_have_url(re.compile(r"/accounts/login/"))


def test_a_double_click_on_continue_signs_in_once(page: Page, newcomer: str) -> None:
    ask_for_mail(page, newcomer)
    page.goto(link_from_mailbox(page, newcomer))

    page.get_by_role("button", name="Continue").dblclick()

    expect(page).to_have_url(re.compile(r"/account/welcome/"))
