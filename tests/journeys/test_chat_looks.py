"""The chat's pages break no rule of WCAG 2.2 AA that a program can check, nor the width of a phone;
long chats open fast."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from chat_app import conversations, replies, sharing
from chat_app.enums import Hold, MessageState
from chat_app.models import Chat, ChatMessage
from oasst.accounts.models import User
from tests.chat_app import given
from tests.factories import NOW
from tests.journeys.looks import problems

SignIn = Callable[[User], None]
Show = Callable[[str], None]
TEXT = """Some **strong** words and $x^2$.

```python
print("a long line of code that has to scroll on a phone, and not make the page wider")
```

| Colour | Angle |
|---|---:|
| Red | 42.4° |
"""


@pytest.fixture
def chat(alice: User) -> Chat:
    """Every state that a message can be in."""
    chat, messages = given.thread(alice, "Why is the sky blue?", TEXT, "And the sea?", "Held.")
    conversations.vote(messages[1], -1, now=NOW, reasons=["wrong"])
    ChatMessage.objects.filter(pk=messages[1].pk).update(hold=Hold.MARKED, dropped_turns=3)
    ChatMessage.objects.filter(pk=messages[3].pk).update(hold=Hold.HELD)
    given.prompt(chat, "A branch of the first prompt")
    broken = given.prompt(chat, "Go on", parent=messages[3])
    given.answer(broken, "It broke", state=MessageState.INTERRUPTED)
    return chat


def test_conversation_and_its_dialogs(page: Page, sign_in: SignIn, show: Show, chat: Chat) -> None:
    sign_in(chat.user)
    show(f"/chat/{chat.pk}/")
    expect(page.locator("math")).to_have_count(1)
    for summary in page.locator(".said-details, .said-why").all():
        summary.evaluate("details => { details.open = true; }")
    # Nothing half behind the pen.
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    assert problems(page) == []

    for name in ("Share", "Model and settings"):
        page.get_by_role("link", name=name).click()
        expect(page.locator("#message-dialog")).to_be_visible()
        assert (name, problems(page)) == (name, [])
        page.keyboard.press("Escape")


def test_drafts_and_what_waits(page: Page, sign_in: SignIn, show: Show, alice: User) -> None:
    chat, (prompt, _reply) = given.thread(alice)
    replies.request(prompt, count=3, now=NOW)
    sign_in(alice)
    show(f"/chat/{chat.pk}/")

    expect(page.locator(".draft")).to_have_count(3)
    assert problems(page) == []


def test_other_pages(page: Page, sign_in: SignIn, show: Show, chat: Chat) -> None:
    sign_in(chat.user)
    share = sharing.share(chat, now=NOW)
    given.worker(chat.model)
    own = f"/chat/{chat.pk}/"
    reply = conversations.view(chat)[1].message
    for path in ("/chat/", "/chat/?q=sky", "/chat/?q=nothing", "/chat/settings/", "/models/",
                 f"/chat/shared/{share.token}/", f"{own}settings/", f"{own}share/", f"{own}delete/",
                 f"{own}messages/{reply.pk}/", f"{own}messages/{reply.pk}/report/"):  # fmt: skip
        show(path)
        assert (path, problems(page)) == (path, [])


@pytest.mark.full
def test_chat_of_a_thousand_messages_opens_and_grows(
    page: Page, sign_in: SignIn, alice: User
) -> None:
    chat, _messages = given.thread(alice, *[TEXT, f"{TEXT} and an answer"] * 500)
    sign_in(alice)

    began = time.monotonic()
    page.goto(f"/chat/{chat.pk}/")
    expect(page.locator("math").last).to_be_attached()
    opened_s = time.monotonic() - began
    page.get_by_role("link", name="Show earlier messages").click()

    expect(page.locator(".said")).to_have_count(80)
    assert opened_s < 10  # some 1.5 s on two idle cores
