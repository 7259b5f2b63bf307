"""A moderator decides without a mouse: a report, and messages about which reviewers differ."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from oasst.accounts.models import User
from tasks_app import config, notifications, reactions
from tasks_app.enums import ReportState
from tasks_app.models import Message, Report
from tests.factories import GOOD, SPAM, Grown, grow, label, person, review
from tests.journeys.axe import violations
from tests.tasks_app.admin.desk import act_on, list_of, page_of

SignIn = Callable[[User], None]


@pytest.fixture
def reported(transactional_db: None, alice: User, bob: User) -> Grown:
    """Two of Bob's replies, the first reported first."""
    now = timezone.now()
    grown = grow("P(A A)", author=bob, now=now - timedelta(days=1))
    for hours, place in ((9, 1), (3, 2)):
        told = "a telephone number"
        reactions.report(grown[place].pk, alice, "pii", told, now=now - timedelta(hours=hours))
    return grown


def report_of(message: Message) -> Report:
    return Report.objects.get(message=message)


def send(page: Page, words: str) -> None:
    """Type into what has the focus, and send the form."""
    page.keyboard.type(words)
    page.keyboard.press("Control+Enter")


def test_keys_of_a_list_are_listed(
    page: Page, sign_in: SignIn, mona: User, reported: Grown
) -> None:
    sign_in(mona)
    page.goto(list_of(Report))
    page.keyboard.press("?")

    keys = page.get_by_role("dialog", name="Keys of this page")
    expect(keys.get_by_text("Delete the message")).to_be_visible()
    assert violations(page) == []


def test_report_is_decided_by_keyboard_alone(
    page: Page, sign_in: SignIn, mona: User, reported: Grown
) -> None:
    first, second = report_of(reported[1]), report_of(reported[2])
    sign_in(mona)
    page.goto(list_of(Report))
    page.keyboard.press("j")
    page.keyboard.press("d")
    page.wait_for_url(f"**{page_of(first)}#delete")
    expect(page.get_by_label("Note")).to_be_focused()
    send(page, "Contains a telephone number, down to the last digit.")
    expect(page.get_by_text("1 report is decided.")).to_be_visible()
    page.wait_for_load_state()  # the words are there before the scripts that know the keys
    page.keyboard.press("n")
    page.wait_for_url(f"**{page_of(second)}")
    page.keyboard.press("a")
    send(page, "An invented number.")
    expect(page.get_by_text("1 report is decided.")).to_be_visible()

    assert report_of(reported[1]).state == ReportState.RESOLVED
    assert report_of(reported[2]).state == ReportState.DISMISSED
    assert [message.deleted for message in reported.refresh()] == [False, True, False]


@pytest.fixture
def disputed(transactional_db: None, root: User, bob: User) -> list[Message]:
    """Two of Bob's replies about which reviewers differ; the first waits longer."""
    now = timezone.now()
    for name, value in (("adaptive_overlap", True), ("p_gold", 0), ("p_gold_newcomer", 0)):
        config.change(name, value, actor=root, reason="why", now=now)
    found = []
    for minutes in (30, 10):
        then = now - timedelta(minutes=minutes)
        reply = grow("P(A?)", author=bob, now=then)[1]
        review(reply, *[GOOD, SPAM] * 2, now=then)
        label(person("Fifth"), reply, SPAM, now=then)
        reply.refresh_from_db()
        found.append(reply)
    return found


def verdict(message: Message) -> bool | None:
    return Message.objects.get(pk=message.pk).review_result


def test_disputed_messages_are_decided_by_keyboard_alone(
    page: Page, sign_in: SignIn, mona: User, bob: User, disputed: list[Message]
) -> None:
    first, second = disputed
    sign_in(mona)
    page.goto(f"{list_of(Message)}?split=yes")
    page.keyboard.press("n")
    page.keyboard.press("x")
    page.wait_for_url(f"**{act_on(first, 'leave-out')}")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_label("Reason")).to_be_focused()  # nothing happens without one
    send(page, "It only advertises.")
    expect(page.get_by_text("It is not accepted.")).to_be_visible()

    page.keyboard.press("n")
    page.wait_for_url(f"**{page_of(second)}")
    page.keyboard.press("a")
    page.wait_for_url(f"**{act_on(second, 'take-in')}")
    send(page, "Short, but right.")
    expect(page.get_by_text("It is accepted.")).to_be_visible()
    page.keyboard.press("u")
    page.wait_for_url(f"**{page_of(bob)}")

    assert [verdict(message) for message in disputed] == [False, True]


def test_letters_do_nothing_once_they_are_turned_off(
    page: Page, sign_in: SignIn, mona: User, reported: Grown
) -> None:
    User.objects.filter(pk=mona.pk).update(shortcuts_enabled=False)
    sign_in(mona)
    page.goto(page_of(reported[1]))
    page.keyboard.press("e")
    page.get_by_role("link", name="Delete", exact=True).focus()
    page.keyboard.press("Enter")

    page.wait_for_url(f"**{act_on(reported[1], 'delete')}")  # the page was still there


def ask_about_the_first_report(page: Page) -> None:
    page.goto(list_of(Report))
    page.keyboard.press("j")
    page.keyboard.press("q")
    page.wait_for_url("**/act/ask/")
    expect(page.get_by_label("Question")).to_be_focused()
    page.keyboard.type("Whose number is this?")
    page.keyboard.press("Tab")
    send(page, "It looks real.")
    expect(page.get_by_text("The question is asked.")).to_be_visible()
    assert violations(page) == []


def answer_what_is_asked(page: Page) -> None:
    page.goto("/notifications/")
    page.get_by_role("button", name="The moderators have a question for you.").click()
    expect(page.get_by_text("Whose number is this?")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Your answer").fill("Nobody's: I made it up.")
    page.get_by_role("button", name="Send the answer").click()
    expect(page.get_by_text("The moderators read your answer.")).to_be_visible()
    assert violations(page) == []


def test_author_is_asked_by_keyboard_and_answers(
    page: Page, sign_in: SignIn, mona: User, bob: User, reported: Grown
) -> None:
    sign_in(mona)
    ask_about_the_first_report(page)
    page.wait_for_url(f"**{page_of(report_of(reported[1]))}")
    notifications.tell_news(now=timezone.now() + notifications.SETTLED_AFTER)
    sign_in(bob)
    answer_what_is_asked(page)

    sign_in(mona)
    page.goto(page_of(report_of(reported[1])))
    page.get_by_role("link", name="Answered").click()
    expect(page.get_by_text("I made it up.")).to_be_visible()
    assert violations(page) == []
