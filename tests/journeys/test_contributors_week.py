"""A contributor's week. Six days pass by the clock that the domain functions are given; the
seventh is lived in the browser.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leaderboard_app import ledger
from oasst.accounts.models import User
from tasks_app import digests, notifications
from tasks_app.enums import TaskType as K
from tasks_app.models import Message
from tests.factories import GOOD, grow, hand_out
from tests.factories import review as reviewed_by_others
from tests.journeys.mails import mail_text
from tests.leaderboard_app import given

SignIn = Callable[[User], None]
A_DAY = timedelta(days=1)


def what_the_jobs_do(now: datetime) -> None:
    """Book points and tell news, as cron has it done several times an hour."""
    ledger.catch_up(now=now)
    notifications.tell_news(now=now)


def days_before(today: datetime, user: User) -> Message:
    """A reply on the first day, which others accept on the next, and a review on every day."""
    first = today - 6 * A_DAY
    notifications.wish(user, muted=[], weekly_digest=True, now=first - A_DAY)
    notifications.tell_news(now=first - A_DAY)  # it begins to listen
    written = given.reply(user, grow("P", now=first).root, now=first)
    for day in range(6):
        now = first + day * A_DAY
        given.review(user, grow("P(A?)", now=now)[1], now=now)
        if day == 1:
            reviewed_by_others(written, GOOD, GOOD, GOOD, now=now)
        what_the_jobs_do(now + timedelta(hours=1))
    just_now = today - timedelta(minutes=2)  # so that midnight may come while the test runs
    given.review(user, grow("P(A?)", now=just_now)[1], now=just_now)
    return written


def open_task(page: Page, user: User, kind: K, message: Message) -> None:
    """A task that was handed out a while ago: nobody answers at once."""
    task = hand_out(user, kind, message, now=timezone.now() - timedelta(minutes=2))
    page.goto(f"/tasks/{task.pk}/")


@pytest.fixture
def week(transactional_db: None, settings: Any, alice: User) -> Message:
    settings.EMAIL_BACKEND = "oasst.accounts.mailbox.MailboxBackend"
    return days_before(timezone.now(), alice)


def write_and_review(page: Page, user: User) -> Message:
    """The seventh day's work; the thanks say what it may bring."""
    open_task(page, user, K.ASSISTANT_REPLY, grow("P", now=timezone.now()).root)
    page.locator("textarea[name=text]").fill("Fold the paper in half first.")
    page.get_by_role("button", name="Submit and next").click()
    expect(page.locator(".toast")).to_contain_text("+4 points pending")
    open_task(page, user, K.LABEL_ASSISTANT_REPLY, grow("P(A?)", now=timezone.now())[1])
    page.locator("label", has=page.locator("[name=spam][value='0']")).click()
    page.get_by_role("button", name="Submit and next").click()
    expect(page.locator(".toast")).to_contain_text("+2 points pending")
    return Message.objects.get(text="Fold the paper in half first.")


def test_contributors_week(page: Page, sign_in: SignIn, alice: User, week: Message) -> None:
    sign_in(alice)
    today = write_and_review(page, alice)

    what_the_jobs_do(timezone.now())
    page.locator(".toast-points").click()
    entry = page.locator(".entries li").filter(has=page.get_by_text("Wrote a reply as assistant"))
    expect(entry.first).to_contain_text("Pending")
    expect(entry.last).to_contain_text("Confirmed")
    expect(page.locator(".stat", has_text="Streak")).to_contain_text(re.compile("[78] *days"))

    reviewed_by_others(today, GOOD, GOOD, GOOD, now=timezone.now())
    what_the_jobs_do(timezone.now())
    page.reload()
    expect(entry.first).to_contain_text("Confirmed")
    page.locator("a.bell").click()
    expect(page.locator(".notices .notice-new").first).to_contain_text("accepted")
    page.goto(f"/messages/{week.pk}/")
    expect(page.locator(".timeline").first).to_contain_text("Accepted")

    sent = [digests.send_due(now=timezone.now()) for _ in range(2)]
    assert sent == [1, 0]
    assert "accepted" in mail_text(page, alice.email)
