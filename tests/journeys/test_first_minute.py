"""A newcomer's first minute: from the front page to a review that counts, and leaving for good."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from oasst.accounts.models import User
from tasks_app.enums import TreeState
from tasks_app.models import Message, TextLabels
from tests.factories import grow
from tests.journeys.mails import ask_for_mail, link_from_mailbox, mail_text


class Clicks:
    """Clicks, counted."""

    def __init__(self) -> None:
        self.count = 0
        self.started = time.monotonic()

    def on(self, target: Locator) -> None:
        target.click()
        self.count += 1

    def __str__(self) -> str:
        return f"{self.count} clicks, {time.monotonic() - self.started:.1f} s"


def test_newcomer_reviews_a_prompt_within_seven_clicks(
    page: Page, newcomer: str, transactional_db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
    clicks = Clicks()
    page.goto("/")
    clicks.on(page.get_by_role("link", name="Start contributing"))
    page.get_by_label("E-mail address").fill(newcomer)
    clicks.on(page.get_by_role("button", name="Send me the mail"))
    page.goto(link_from_mailbox(page, newcomer))
    clicks.on(page.get_by_role("button", name="Continue"))
    expect(page.get_by_role("checkbox", name="English")).to_be_checked()
    clicks.on(page.get_by_role("button", name="Agree and start"))
    clicks.on(page.get_by_role("main").get_by_role("link", name="Start"))
    clicks.on(page.locator("label", has=page.locator("[name=spam][value='0']")))
    clicks.on(page.get_by_role("button", name="Submit and next"))
    expect(page.locator(".toast")).to_contain_text("your review counts")

    with capsys.disabled():
        print(f" [a newcomer's first review: {clicks}]", end="")  # noqa: T201
    assert TextLabels.objects.get(user__email=newcomer).values["spam"] == 0.0
    assert clicks.count <= 7


def test_newcomer_signs_in_by_the_code_and_comes_back_to_the_task(
    page: Page, newcomer: str, transactional_db: None
) -> None:
    grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
    page.goto("/tasks/label_initial_prompt/next/")
    ask_for_mail(page, newcomer, from_here=True)
    mailbox = page.context.new_page()
    code = re.search(r"\b\d{6}\b", mail_text(mailbox, newcomer))
    assert code is not None

    page.get_by_label("6-digit code").fill(code.group())
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Agree and start").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Review an initial prompt")


def test_declining_the_terms_signs_out(page: Page, sign_in: Callable[[User], None]) -> None:
    sign_in(User.objects.create_user("undecided@example.org"))
    page.goto("/dashboard/")
    expect(page).to_have_url(re.compile("/account/welcome/"))

    page.get_by_role("button", name="Decline and sign out").click()
    page.goto("/dashboard/")

    expect(page).to_have_url(re.compile("/accounts/login/"))


def test_alice_deletes_her_account_and_what_she_wrote_stays_without_her_name(
    page: Page, sign_in: Callable[[User], None], page_of: Callable[..., Page], alice: User
) -> None:
    grown = grow("P(A)", author=alice)
    elsewhere = page_of(alice)
    elsewhere.goto("/dashboard/")
    sign_in(alice)
    page.goto("/account/")
    page.get_by_role("link", name="Delete my account").click()
    page.get_by_label("Type your e-mail address").fill("somebody@example.org")
    page.get_by_role("button", name="Delete my account for good").click()
    expect(page.get_by_text("This is not the address of your account.")).to_be_visible()

    page.get_by_label("Type your e-mail address").fill(alice.email)
    page.get_by_role("button", name="Delete my account for good").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Your account is deleted")
    elsewhere.reload()
    expect(elsewhere).to_have_url(re.compile("/accounts/login/"))
    assert User.objects.get(pk=alice.pk).display_name == ""
    assert Message.objects.filter(pk__in=[m.pk for m in grown], user=alice).count() == 2
