"""What every page has: theme, shortcuts, menus, dialogs, toasts; with and without scripts."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from oasst.accounts.models import User

SignIn = Callable[[User], None]


@pytest.fixture
def dashboard(page: Page, sign_in: SignIn, alice: User) -> Page:
    sign_in(alice)
    page.goto("/dashboard/")
    return page


def choose_dark(page: Page) -> None:
    page.get_by_label("Colour theme").click()
    page.get_by_role("button", name="Dark").click()


def paper(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.documentElement).backgroundColor")


def test_theme_changes_at_once_and_stays(page: Page) -> None:
    page.goto("/terms/")
    light = paper(page)

    with page.expect_response("**/theme/"):
        choose_dark(page)

    dark = paper(page)
    assert dark != light
    page.goto("/privacy/")
    assert paper(page) == dark


def test_theme_can_be_chosen_without_scripts(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=site)
    page = context.new_page()
    page.goto("/terms/")

    choose_dark(page)

    expect(page).to_have_url(f"{site}/terms/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    context.close()


def test_theme_follows_the_device_until_one_is_chosen(browser: Browser, site: str) -> None:
    papers = []
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme, base_url=site)
        page = context.new_page()
        page.goto("/terms/")
        papers.append(paper(page))
        context.close()

    assert papers[0] != papers[1]


def test_two_letters_lead_to_another_page(dashboard: Page) -> None:
    dashboard.keyboard.type("gm")

    dashboard.wait_for_url("**/messages/")


def test_letters_do_nothing_in_a_field(dashboard: Page) -> None:
    dashboard.goto("/messages/")
    field = dashboard.locator("main input[type=search], main input[type=text]").first

    field.focus()
    dashboard.keyboard.type("gd?")

    expect(field).to_have_value("gd?")
    expect(dashboard.locator("#keyboard-help")).to_be_hidden()
    assert dashboard.url.endswith("/messages/")


def test_letters_can_be_turned_off(page: Page, sign_in: SignIn, alice: User) -> None:
    alice.shortcuts_enabled = False
    alice.save()
    sign_in(alice)
    page.goto("/dashboard/")

    page.keyboard.type("?gm")
    page.wait_for_timeout(300)

    expect(page.locator("#keyboard-help")).to_be_hidden()
    assert page.url.endswith("/dashboard/")


def test_question_mark_lists_the_shortcuts(dashboard: Page) -> None:
    dashboard.keyboard.press("?")

    help_dialog = dashboard.get_by_role("dialog", name="Keyboard shortcuts")
    expect(help_dialog).to_be_visible()
    expect(help_dialog.locator("dd", has_text="Messages")).to_be_visible()
    dashboard.keyboard.press("Escape")
    expect(help_dialog).to_be_hidden()


def test_menu_closes_on_escape_and_gives_the_focus_back(dashboard: Page) -> None:
    menu = dashboard.locator("details[data-menu]", has_text="Account menu")
    menu.locator("summary").click()
    expect(menu.get_by_role("link", name="Account")).to_be_visible()

    dashboard.keyboard.press("Escape")

    expect(menu.get_by_role("link", name="Account")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()


def test_toast_is_announced_as_text_and_can_be_dismissed(page: Page) -> None:
    page.goto("/terms/")
    toasts = page.get_by_role("status")

    page.evaluate(
        "document.dispatchEvent(new CustomEvent('toast',"
        " {detail: {text: '<b>Saved</b>', tone: 'error'}}))"
    )

    expect(toasts).to_have_text("<b>Saved</b>", use_inner_text=True)
    toasts.get_by_label("Dismiss").click()
    expect(toasts).to_be_empty()


def test_first_tab_stop_skips_to_the_content(page: Page) -> None:
    page.goto("/guidelines/")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("main")).to_be_focused()


@pytest.mark.parametrize("path", ["/", "/guidelines/", "/terms/", "/privacy/"])
def test_page_fits_a_narrow_phone(page: Page, path: str) -> None:
    page.set_viewport_size({"width": 320, "height": 640})

    page.goto(path)

    assert page.evaluate("document.documentElement.scrollWidth") <= 320
