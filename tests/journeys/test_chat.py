"""Chats with a worker that writes: streams, tabs, reloads, stops, branches and drafts."""

import time
from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import BrowserContext, Locator, Page, expect
from pytest_django import DjangoDbBlocker

from chat_app import workers
from chat_app.enums import MessageState
from chat_app.models import Chat, ChatMessage, DraftChoice, Vote, Worker
from oasst.accounts.models import User
from tests.chat_app import given

SignIn = Callable[[User], None]
# The engine without a model says what `!say` tells it, and counts for `!long`.
COUNT = "!long 60"
COUNTED = " ".join(str(number) for number in range(1, 61))


@pytest.fixture(scope="module")
def writer(run_beside: Callable[..., None], django_db_blocker: DjangoDbBlocker) -> Worker:
    """A process that writes, 40 words a second. It outlives the tables of single tests."""
    with django_db_blocker.unblock():
        given.served("tiny", title="Tiny")
        speed = "--tokens-per-s=40"
        run_beside("inference_worker", "--model=tiny", "--engine=fake", speed, "--drain-s=0.2")
        deadline = time.monotonic() + 60
        while not (found := workers.alive(now=timezone.now()).select_related("model").first()):
            assert time.monotonic() < deadline, "the worker did not start"
            time.sleep(0.05)
        return found


@pytest.fixture
def worker(writer: Worker, transactional_db: None) -> None:
    """The rows that the process knows itself by."""
    for row in (writer.model, writer):
        row.save(force_insert=not type(row)._default_manager.filter(pk=row.pk).exists())


@pytest.fixture
def chatting(page: Page, sign_in: SignIn, alice: User, worker: None) -> Page:
    """Alice is about to begin a chat."""
    sign_in(alice)
    page.goto("/chat/")
    return page


def say(page: Page, text: str) -> None:
    page.get_by_label("Your message").fill(text)
    page.keyboard.press("Enter")


def replies(page: Page) -> Locator:
    return page.locator("#thread .said-assistant .said-text")


def test_last_words_are_spoken_without_a_full_stop(chatting: Page) -> None:
    say(chatting, "!say It is " + "very " * 60 + "far")

    expect(chatting.locator("[data-spoken]")).to_contain_text("very far Response complete.")


def test_reply_streams_in_is_spoken_and_stays(chatting: Page) -> None:
    say(chatting, "!say The Moon pulls. It is **near**, and $x^2$ is far. " + "and on " * 40)

    expect(replies(chatting)).to_contain_text("The Moon pulls. It is near")
    expect(chatting.get_by_role("button", name="Stop the answer")).to_be_visible()
    expect(chatting.locator("[data-spoken]")).to_contain_text("The Moon pulls.")
    expect(chatting.locator("[data-spoken]")).to_contain_text("Response complete.")
    expect(chatting.get_by_role("button", name="Send")).to_be_visible()
    expect(replies(chatting).locator("strong")).to_have_text("near")
    expect(replies(chatting).locator("math")).to_have_count(1)
    chatting.reload()
    expect(replies(chatting).locator("math")).to_have_count(1)
    say(chatting, "!say Second")
    expect(replies(chatting)).to_have_count(2)
    expect(replies(chatting).last).to_have_text("Second")
    assert Chat.objects.get().messages.count() == 4


def test_two_tabs_and_a_reload_show_one_stream(chatting: Page, context: BrowserContext) -> None:
    say(chatting, "!say Ready")
    expect(replies(chatting)).to_have_text("Ready")
    other = context.new_page()
    other.goto(chatting.url)

    say(chatting, COUNT)
    expect(replies(other).last).to_contain_text("1 2 3 4 5")
    chatting.reload()
    expect(replies(chatting).last).to_contain_text("1 2 3 4 5 6 7 8 9 10")

    for tab in (chatting, other):
        expect(tab.get_by_role("button", name="Try again").last).to_be_visible()
        expect(replies(tab).last).to_have_text(COUNTED)
    assert ChatMessage.objects.get(text=COUNTED).attempt == 1


def test_what_comes_during_an_edit_is_shown_after_it(
    chatting: Page, context: BrowserContext
) -> None:
    say(chatting, "!say Ready")
    expect(replies(chatting)).to_have_text("Ready")
    other = context.new_page()
    other.goto(chatting.url)
    expect(replies(other)).to_have_text("Ready")
    other.get_by_role("link", name="Edit and ask again").click()

    say(chatting, "!say Done")
    expect(replies(chatting).last).to_have_text("Done")
    expect(replies(other)).to_have_count(1)
    other.locator(".edit-form").get_by_role("link", name="Cancel").click()

    expect(replies(other)).to_have_count(2)
    expect(replies(other).last).to_have_text("Done")


def test_escape_stops_and_continue_goes_on(chatting: Page) -> None:
    say(chatting, "!long 4000")
    expect(replies(chatting)).to_contain_text("1 2 3 4 5")
    chatting.keyboard.press("Escape")
    expect(chatting.locator("[data-spoken]")).to_contain_text("Stopped.")
    expect(chatting.locator("[data-spoken]")).not_to_contain_text("complete")
    expect(chatting.get_by_text("Stopped", exact=True)).to_be_visible()
    stopped = ChatMessage.objects.get(state=MessageState.STOPPED)
    assert stopped.text.startswith("1 2 3 4 5")
    assert len(stopped.text) < 1000

    chatting.get_by_role("button", name="Continue").click()

    expect(replies(chatting)).to_contain_text(f"{stopped.text}1 2 3")
    chatting.get_by_role("button", name="Stop the answer").click()
    expect(chatting.get_by_text("Stopped", exact=True)).to_be_visible()
    assert ChatMessage.objects.filter(prefix=stopped.text, state=MessageState.STOPPED).exists()


def test_edited_message_is_a_branch_one_key_away(chatting: Page) -> None:
    say(chatting, "!say first")
    expect(replies(chatting)).to_have_text("first")
    chatting.get_by_label("Your message").focus()
    chatting.keyboard.press("ArrowUp")
    field = chatting.locator(".edit-form textarea")
    expect(field).to_be_focused()
    field.fill("!say second")
    chatting.get_by_role("button", name="Ask again").click()

    expect(replies(chatting)).to_have_text("second")
    expect(chatting.locator(".siblings .num")).to_have_text("2/2")
    chatting.locator("#main").focus()
    chatting.keyboard.press("[")
    expect(replies(chatting)).to_have_text("first")
    chatting.locator("#main").focus()
    chatting.keyboard.press("]")
    expect(replies(chatting)).to_have_text("second")
    chatting.reload()
    expect(replies(chatting)).to_have_text("second")


def test_drafts_are_compared_and_the_picked_one_goes_on(chatting: Page) -> None:
    say(chatting, "!say an answer")
    expect(replies(chatting)).to_have_text("an answer")
    chatting.get_by_role("img", name="More about this answer").click()
    chatting.get_by_role("button", name="Three drafts to choose from").click()

    picks = chatting.get_by_role("button", name="Pick this one")
    expect(picks).to_have_count(3)
    expect(chatting.get_by_role("heading", name="Which answer is better?")).to_be_visible()
    say(chatting, "Too early")
    expect(chatting.locator(".toast")).to_contain_text("Pick one of the answers first")
    expect(chatting.get_by_label("Your message")).to_have_value("Too early")
    picks.nth(1).click()

    expect(picks).to_have_count(0)
    say(chatting, "!say on we go")
    expect(replies(chatting).last).to_have_text("on we go")
    choice = DraftChoice.objects.get()
    assert choice.rejected.count() == 3  # the first answer was on the screen before
    assert ChatMessage.objects.get(text="!say on we go").parent == choice.chosen


def test_several_answers_are_asked_for_in_the_composer(chatting: Page) -> None:
    picks = chatting.get_by_role("button", name="Pick this one")
    chatting.get_by_label("Answers to choose from").select_option("2 answers")
    say(chatting, "!say an answer")
    expect(picks).to_have_count(2)
    picks.first.click()
    expect(picks).to_have_count(0)
    chatting.get_by_label("Answers to choose from").select_option("3 answers")
    say(chatting, "!say another")

    expect(picks).to_have_count(3)


def test_thumb_with_a_reason(chatting: Page) -> None:
    say(chatting, "!say wrong")
    chatting.get_by_role("button", name="Bad answer").click()
    chatting.get_by_label("Not correct").check()
    chatting.get_by_placeholder("Anything to add?").fill("It is right.")
    chatting.locator(".said-why").get_by_role("button", name="Send").click()

    expect(chatting.locator(".toast")).to_contain_text("Thank you")
    expect(chatting.get_by_role("button", name="Bad answer")).to_have_attribute(
        "aria-pressed", "true"
    )
    vote = Vote.objects.get()
    assert (vote.value, vote.reasons, vote.text) == (-1, ["wrong"], "It is right.")


def test_without_a_connection_nothing_is_lost(chatting: Page, context: BrowserContext) -> None:
    say(chatting, COUNT)
    expect(replies(chatting)).to_contain_text("1 2 3")
    note = chatting.get_by_text("No connection.")
    expect(note).to_be_hidden()

    context.set_offline(True)
    expect(note).to_be_visible()
    chatting.get_by_label("Your message").fill("Written on a train")
    context.set_offline(False)

    expect(note).to_be_hidden()
    expect(replies(chatting)).to_have_text(COUNTED)
    chatting.reload()
    expect(chatting.get_by_label("Your message")).to_have_value("Written on a train")


def test_half_arrived_markup_is_never_more_than_text(chatting: Page) -> None:
    hostile = (
        "<img src=x onerror=document.body.dataset.hit=1>"
        " <script>document.body.dataset.hit=1</script>"
        " [a](javascript:document.body.dataset.hit=1) ![b](https://evil.example/x.png) **half"
        " `code <b>` $\\href{javascript:alert(1)}{x}$ <svg onload=document.body.dataset.hit=1>"
    )
    say(chatting, f"!say {hostile} " + "and more " * 60)

    expect(chatting.get_by_role("button", name="Stop the answer")).to_be_visible()
    expect(replies(chatting)).to_contain_text("and more")
    for text in (replies(chatting), replies(chatting).locator("p")):
        assert text.first.locator("img, script, svg, b, a[href^=javascript]").count() == 0
    expect(chatting.get_by_role("button", name="Try again")).to_be_visible()
    assert chatting.locator("body").get_attribute("data-hit") is None


def test_without_scripts_a_prompt_is_sent_and_answered(
    page_of: Callable[..., Page], alice: User, worker: None
) -> None:
    page = page_of(alice, java_script_enabled=False)
    page.goto("/chat/")
    page.get_by_label("Your message").fill("!say By hand")
    page.get_by_role("button", name="Send").click()

    # The page loads again by itself; who is faster than that sees the reply at once.
    expect(replies(page)).to_have_text("By hand", timeout=15_000)
    page.get_by_label("Your message").fill("!say Again")
    page.get_by_role("button", name="Send").click()
    expect(replies(page).last).to_have_text("Again", timeout=15_000)


def test_chat_on_a_phone(page_of: Callable[..., Page], alice: User, worker: None) -> None:
    given.thread(alice, "An older chat")
    page = page_of(alice, has_touch=True)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/chat/")
    page.get_by_label("Your message").fill("!say Hello, phone")
    page.get_by_role("button", name="Send").click()
    expect(replies(page)).to_have_text("Hello, phone")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.get_by_role("button", name="Your chats").click()
    page.get_by_role("link", name="An older chat").click()

    expect(page.locator(".said-prompter .said-text")).to_have_text("An older chat")
