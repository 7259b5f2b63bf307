"""Several windows at once: impatient clicks, two tabs, and moderators who step in."""

from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from oasst.accounts.models import User
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Contribution, Message, MessageTree, Report, Task
from tests.factories import Grown, grow, hand_out
from tests.tasks_app.admin.desk import page_of as desk_page

PageOf = Callable[..., Page]


@pytest.fixture
def grown(transactional_db: None, bob: User) -> Grown:
    return grow("P(A)", author=bob)


@pytest.fixture
def url(grown: Grown, alice: User) -> str:
    """The page of a reply that Alice is to write."""
    task = hand_out(alice, TaskType.PROMPTER_REPLY, grown[1], now=timezone.now())
    return f"/tasks/{task.pk}/"


@pytest.fixture
def writing(page_of: PageOf, alice: User, url: str) -> Page:
    """Alice has that page open and has written something."""
    page = page_of(alice)
    page.goto(url)
    page.locator("textarea[name=text]").fill("Written in the first tab")
    return page


def submit(page: Page) -> Locator:
    return page.get_by_role("button", name="Submit and next")


def test_double_click_on_submit_has_one_effect(writing: Page, alice: User) -> None:
    submit(writing).dblclick()

    expect(writing.locator(".toast")).to_contain_text("Thank you")
    assert Message.objects.filter(user=alice).count() == 1
    assert Contribution.objects.filter(user=alice).count() == 1


def test_same_form_sent_twice_at_once_has_one_effect(writing: Page, alice: User) -> None:
    answers = writing.evaluate(
        """async () => {
            const form = document.getElementById("task-form");
            const body = new FormData(form);
            const send = () => fetch(location.href, { method: "POST", body, redirect: "manual" });
            return (await Promise.all([send(), send(), send()])).map((answer) => answer.type);
        }"""
    )

    assert answers == ["opaqueredirect"] * 3
    assert Message.objects.filter(user=alice).count() == 1


def test_second_tab_is_told_what_the_first_has_stored(writing: Page, url: str, alice: User) -> None:
    second = writing.context.new_page()
    second.goto(url)
    second.locator("textarea[name=text]").fill("Written in the second tab")
    submit(writing).click()
    expect(writing.locator(".toast")).to_contain_text("Thank you")

    submit(second).click()

    expect(second.get_by_role("heading", level=1)).to_have_text("You have done this task")
    expect(second.get_by_role("main")).to_contain_text("Written in the first tab")
    expect(second.locator("#entered")).to_have_value("Written in the second tab")
    assert [m.text for m in Message.objects.filter(user=alice)] == ["Written in the first tab"]


def act(page: Page, row: object, button: str, reason: str) -> None:
    """A moderator's action from the page of a row."""
    page.goto(desk_page(row))
    page.get_by_role("link", name=button, exact=True).click()
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name=button, exact=True).click()


def test_halted_tree_takes_no_reply_and_goes_on_when_it_may(
    writing: Page, page_of: PageOf, mona: User, grown: Grown, url: str
) -> None:
    desk = page_of(mona)
    act(desk, grown.tree, "Halt", "Under discussion.")
    expect(desk.get_by_text("The tree is halted.")).to_be_visible()
    submit(writing).click()
    expect(writing.get_by_role("heading", level=1)).to_have_text("This task is over")
    expect(writing.locator("#entered")).to_have_value("Written in the first tab")
    assert Message.objects.count() == 2

    act(desk, grown.tree, "Set going again", "All is well.")

    expect(desk.get_by_text("The tree goes on")).to_be_visible()
    assert MessageTree.objects.get().state == TreeState.GROWING
    writing.goto("/tasks/")
    expect(writing.get_by_role("link", name="Reply as prompter")).to_contain_text("1 for you")


def test_ban_ends_the_session_at_once(
    writing: Page, page_of: PageOf, mona: User, alice: User
) -> None:
    desk = page_of(mona)
    act(desk, alice, "Ban", "Advertising.")
    expect(desk.get_by_text("Alice is banned.")).to_be_visible()

    submit(writing).click()

    writing.wait_for_url("**/accounts/login/**")
    assert not Message.objects.filter(user=alice).exists()


def test_report_leads_to_a_decision_and_the_message_disappears(
    page_of: PageOf, alice: User, mona: User, grown: Grown
) -> None:
    page, desk = page_of(alice), page_of(mona)
    page.goto(f"/messages/{grown[1].pk}/")
    page.locator(f"#m-{grown[1].pk} summary").last.click()
    page.get_by_role("link", name="Report").click()
    dialog = page.get_by_role("dialog", name="Report this message")
    dialog.get_by_label("Hate speech").check()
    dialog.get_by_role("button", name="Report").click()
    expect(page.locator(".toast")).to_contain_text("The moderators will look")

    desk.goto("/admin/")
    desk.locator("main, #main").get_by_role("link", name="Hate speech").click()
    desk.get_by_label("Acted upon").check()
    desk.get_by_label("Delete the message and everything below it").check()
    desk.get_by_label("Note").fill("It insults people.")
    desk.get_by_role("button", name="Decide").click()
    expect(desk.get_by_text("1 report is decided.")).to_be_visible()

    page.reload()
    expect(page.locator(f"#m-{grown[1].pk}")).to_contain_text("This message was removed.")
    assert Report.objects.get().resolved_by == mona


def test_edited_message_is_shown_with_the_new_text_and_keeps_the_old(
    page_of: PageOf, alice: User, mona: User, grown: Grown
) -> None:
    desk = page_of(mona)
    desk.goto(desk_page(grown[1]))
    desk.get_by_role("link", name="Edit", exact=True).click()
    desk.get_by_label("Text").fill("A **better** text")
    desk.get_by_label("Reason").fill("A name was in it.")
    desk.get_by_role("button", name="Preview").click()
    expect(desk.locator("strong", has_text="better")).to_be_visible()
    desk.get_by_role("button", name="Edit", exact=True).click()
    expect(desk.get_by_text("The text is changed.")).to_be_visible()
    expect(desk.get_by_role("heading", name="Every text it had")).to_be_visible()

    page = page_of(alice)
    page.goto(f"/messages/{grown[1].pk}/")
    expect(page.locator(f"#m-{grown[1].pk} strong")).to_have_text("better")
    assert Task.objects.count() == 0
