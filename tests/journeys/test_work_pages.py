"""The scripts of the task pages: nothing typed is lost, and all goes by keyboard."""

from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from oasst.accounts.models import User
from tasks_app import interactions
from tasks_app.enums import TaskType, TreeState
from tasks_app.labels import LABELS, Widget
from tasks_app.models import (
    Draft,
    Message,
    Ranking,
    Reaction,
    Report,
    Task,
    TextLabels,
    WritingTrace,
)
from tests.factories import Grown, grow, hand_out

SignIn = Callable[[User], None]
K = TaskType


def take(user: User, kind: TaskType, message: Message) -> str:
    """Hand out a task; returns the address of its page."""
    return f"/tasks/{hand_out(user, kind, message, now=timezone.now()).pk}/"


@pytest.fixture
def writing(page: Page, sign_in: SignIn, alice: User) -> str:
    """Alice has the page of a writing task open."""
    sign_in(alice)
    url = take(alice, K.ASSISTANT_REPLY, grow("P").root)
    page.goto(url)
    return url


# Writing


def test_typing_is_counted_previewed_saved_and_comes_back(page: Page, writing: str) -> None:
    page.get_by_label("Answer as the assistant").fill("Some **strong** $x^2$")

    expect(page.locator("#text-counter")).to_have_text("1,979 characters left")
    expect(page.locator("#preview strong")).to_have_text("strong")
    expect(page.locator("#preview math msup")).to_be_visible()
    expect(page.locator("[data-draft-status]")).to_contain_text("Saved")
    assert Draft.objects.get().body["text"] == "Some **strong** $x^2$"
    page.reload()
    expect(page.get_by_label("Answer as the assistant")).to_have_value("Some **strong** $x^2$")
    expect(page.locator("[data-restored]")).to_be_hidden()


def test_without_a_connection_the_text_stays_here_and_goes_out_later(
    page: Page, writing: str, context: BrowserContext
) -> None:
    field = page.get_by_label("Answer as the assistant")
    context.set_offline(True)
    field.fill("Written on a train")
    expect(page.locator("[data-draft-status]")).to_contain_text("kept on this device")
    page.get_by_role("button", name="Submit and next").click()
    expect(page.locator(".toast")).to_contain_text("You are offline")
    expect(field).to_have_value("Written on a train")
    assert not Draft.objects.exists()

    context.set_offline(False)

    expect(page.locator("[data-draft-status]")).to_contain_text("Saved")
    assert Draft.objects.get().body["text"] == "Written on a train"


def test_a_version_that_never_arrived_is_restored_beside_the_saved_one(
    page: Page, writing: str
) -> None:
    field = page.get_by_label("Answer as the assistant")
    field.fill("The saved version")
    expect(page.locator("[data-draft-status]")).to_contain_text("Saved")
    page.route("**/draft/", _fail)
    field.fill("The newer version")
    page.reload()

    expect(field).to_have_value("The newer version")
    page.get_by_role("button", name="Show the other version").click()
    expect(field).to_have_value("The saved version")


def _fail(route: Route) -> None:
    route.abort()


def test_prompt_gets_topics_and_its_reviewer_a_word_on_pasting(
    page: Page, page_of: Callable[..., Page], sign_in: SignIn, alice: User, bob: User
) -> None:
    sign_in(alice)
    page.goto(f"/tasks/{hand_out(alice, K.INITIAL_PROMPT, now=timezone.now()).pk}/")
    field = page.get_by_label("Your prompt")
    field.fill("Moved. ")
    for keys in ("Control+A", "Control+X", "Control+V", "Control+V"):  # one's own words
        page.keyboard.press(keys)
    paste(field, "How do I bake sourdough bread in a small oven?")
    expect(page.locator("#topic-hint")).to_contain_text("Cooking")
    page.locator("details.topics summary").click()
    for name in ("Home and garden", "Cooking", "Health"):
        page.locator(".chip", has_text=name).click()
    expect(page.get_by_role("checkbox", name="Law")).to_be_disabled()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".toast")).to_contain_text("Thank you")

    message = Message.objects.get(user=alice)
    assert WritingTrace.objects.get(message=message).pasted == 46
    assert message.tree.topics.filter(suggested=False).count() == 3
    review = page_of(bob)
    review.goto(take(bob, K.LABEL_INITIAL_PROMPT, message))
    expect(review.locator(".entered-hint")).to_contain_text("Mostly pasted.")


def paste(field: Locator, text: str) -> None:
    """As from another page."""
    field.evaluate(
        "(field, text) => { const data = new DataTransfer(); data.setData('text/plain', text);"
        " field.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));"
        " field.setRangeText(text); field.dispatchEvent(new Event('input', { bubbles: true })); }",
        text,
    )


def test_submit_by_keyboard_stores_the_text_and_goes_on(page: Page, writing: str) -> None:
    other = grow("P").root
    page.get_by_label("Answer as the assistant").fill("An answer")
    page.keyboard.press("Control+Enter")

    expect(page.locator(".toast")).to_contain_text("Thank you")
    expect(page.locator(".focus-thread")).to_contain_text(other.text)
    assert Message.objects.get(text="An answer").user.email == "alice@example.org"


def test_too_many_characters_are_said_and_kept(page: Page, writing: str) -> None:
    field = page.get_by_label("Answer as the assistant")
    field.fill("x" * 2003)
    expect(page.locator("#text-counter")).to_have_text("3 characters too many")
    page.keyboard.press("Control+Enter")

    expect(page.locator(".notice-bad")).to_contain_text("at most 2000")
    expect(field).to_have_value("x" * 2003)


def test_skip_by_keyboard_gives_the_reason(page: Page, writing: str) -> None:
    page.locator("body").press("Tab")
    page.locator(".focus-thread").focus()
    page.keyboard.press("s")
    page.get_by_label("I do not know the subject").check()
    page.get_by_role("button", name="Skip and next").click()

    expect(page.locator(".toast")).to_contain_text("Skipped")
    assert Task.objects.get(skipped_at__isnull=False).skip_reason == "subject"


def test_extend_holds_the_place_without_leaving_the_page(page: Page, writing: str) -> None:
    page.get_by_label("Answer as the assistant").fill("Half an answer")
    Task.objects.update(reserved_until=timezone.now())

    page.get_by_role("button", name="Extend").click()

    expect(page.locator(".toast")).to_contain_text("Kept for you: 30 min")
    expect(page.get_by_label("Answer as the assistant")).to_have_value("Half an answer")
    assert Task.objects.get().reserved_until > timezone.now()


def test_a_draft_after_the_submit_elsewhere_is_refused_in_words(
    page: Page, writing: str, alice: User
) -> None:
    task = Task.objects.get()
    interactions.submit_reply(task.pk, alice, "From another tab", now=timezone.now())

    page.get_by_label("Answer as the assistant").fill("From this tab")

    expect(page.locator(".toast")).to_contain_text("already submitted")
    expect(page.get_by_label("Answer as the assistant")).to_have_value("From this tab")


# Reviewing


def test_a_review_by_keyboard_alone(page: Page, sign_in: SignIn, alice: User) -> None:
    sign_in(alice)
    page.goto(take(alice, K.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1]))

    page.get_by_role("group", name="Spam").get_by_label("No").focus()
    for key in ("1", "ArrowDown", "1", "ArrowDown", "4", "ArrowDown", "5", "Backspace"):
        page.keyboard.press(key)
    page.keyboard.press("Control+Enter")

    expect(page.locator(".toast")).to_contain_text("your review counts")
    stored = TextLabels.objects.get(user=alice).values
    flags = [name for name in stored if LABELS[name].widget == Widget.FLAG]
    assert {name: stored.pop(name) for name in flags} == dict.fromkeys(flags, 0.0)
    assert stored == {"spam": 0.0, "fails_task": 0.0, "quality": 0.75}


def test_a_review_is_taken_back_by_one_key(page: Page, sign_in: SignIn, alice: User) -> None:
    sign_in(alice)
    url = take(alice, K.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1])
    page.goto(url)
    page.get_by_role("group", name="Spam").get_by_label("Yes").check()
    page.get_by_label("Personal data").check()
    page.keyboard.press("Control+Enter")
    # The page listens for keys from here on.
    expect(page.locator("[data-shortcut=u][data-shortcut-bound]")).to_be_visible()
    page.keyboard.press("u")

    expect(page.locator(".toast")).to_contain_text("Taken back")
    assert page.url.endswith(url)
    expect(page.get_by_role("group", name="Spam").get_by_label("Yes")).to_be_checked()
    expect(page.get_by_label("Personal data")).to_be_checked()
    assert not TextLabels.objects.filter(user=alice).exists()


def test_the_full_review_fits_one_screen(page: Page, sign_in: SignIn, alice: User) -> None:
    sign_in(alice)
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(take(alice, K.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1]))

    hidden = page.locator(".focus-work").evaluate("pane => pane.scrollHeight - pane.clientHeight")

    assert hidden == 0
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


# Ranking


@pytest.fixture
def ranking(page: Page, sign_in: SignIn, alice: User) -> Task:
    """Alice has the page of a ranking of three replies open."""
    sign_in(alice)
    page.emulate_media(reduced_motion="reduce")  # cards that glide are hard to drop on
    grown = grow("P(A A A)", state=TreeState.RANKING)
    page.goto(take(alice, K.RANK_ASSISTANT_REPLIES, grown.root))
    return Task.objects.get()


def submit(page: Page) -> None:
    """Submit and wait for the thanks."""
    page.get_by_role("button", name="Submit and next").click()
    expect(page.locator(".toast")).to_contain_text("your order counts")


def groups() -> list[list[str]]:
    """The order that was stored."""
    return Ranking.objects.get().groups


def test_replies_are_placed_by_number_keys(page: Page, ranking: Task) -> None:
    first, second, third = ranking.shown_ids
    page.get_by_label("Reply C", exact=True).focus()
    page.keyboard.press("1")
    page.get_by_label("Reply A", exact=True).focus()
    page.keyboard.press("3")

    submit(page)

    assert groups() == [[third], [second], [first]]


def test_replies_move_and_tie_by_keyboard(page: Page, ranking: Task) -> None:
    first, second, third = ranking.shown_ids
    page.get_by_label("Reply A", exact=True).focus()
    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("=")
    expect(page.locator("[data-rank-status]")).to_have_text("Reply A shares place 1")

    submit(page)

    assert groups() == [[second, first], [third]] or groups() == [[first, second], [third]]


def test_replies_move_by_buttons(page: Page, ranking: Task) -> None:
    first, second, third = ranking.shown_ids
    page.get_by_role("button", name="Move reply B up").click()
    page.get_by_role("button", name="Reply C is as good as the one above").click()

    submit(page)

    assert [sorted(group) for group in groups()] == [[second], sorted([first, third])]


def test_replies_move_by_dragging(page: Page, ranking: Task) -> None:
    first, second, third = ranking.shown_ids
    handle = page.locator("[data-rank-card=C] [data-rank-handle]")
    handle.scroll_into_view_if_needed()
    handle.hover()
    page.mouse.down()
    box = page.locator("[data-rank-card=A]").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 20, steps=20)
    page.mouse.move(box["x"] + 20, box["y"] + 4, steps=8)
    expect(page.locator("[data-rank-card]").first).to_have_attribute("data-rank-card", "C")
    page.mouse.up()

    submit(page)

    assert groups() == [[third], [first], [second]]


def test_an_untouched_order_is_asked_about(page: Page, ranking: Task) -> None:
    page.get_by_role("button", name="Submit and next").click()
    expect(page.get_by_role("dialog", name="Is this your order?")).to_be_visible()
    assert not Ranking.objects.exists()

    page.get_by_role("button", name="Yes, submit it").click()

    expect(page.locator(".toast")).to_contain_text("your order counts")
    assert groups() == [[pk] for pk in ranking.shown_ids]


def test_all_bad_by_one_key(page: Page, ranking: Task) -> None:
    page.get_by_label("Reply A", exact=True).focus()
    page.keyboard.press("x")
    page.get_by_label("Why?").fill("all invent facts")

    submit(page)

    assert Ranking.objects.get().reason == "all_bad: all invent facts"


def test_the_keys_of_the_way_one_ranks_are_listed(page: Page, ranking: Task) -> None:
    keys = ["↓↑Next or previous card", "1…9Give the card in focus this place",
            "Alt↑↓Move the card in focus", "=As good as the one above"]  # fmt: skip

    assert [row for row in listed(page) if row in keys] == keys
    page.get_by_role("button", name="Two at a time").click()
    in_pairs = listed(page)
    assert "=About the same" in in_pairs
    assert not set(keys) & set(in_pairs)


def listed(page: Page) -> list[str]:
    """What `?` shows: each key with its meaning. The list is closed again."""
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    words = page.locator("[data-shortcut-list] > *").all_inner_texts()
    page.keyboard.press("Escape")
    return ["".join(pair).replace("\n", "") for pair in zip(words[::2], words[1::2], strict=True)]


def test_an_order_comes_back_after_a_reload(page: Page, ranking: Task) -> None:
    page.get_by_role("button", name="Move reply C up").click()
    expect(page.locator("[data-draft-status]")).to_contain_text("Saved")

    page.reload()

    letters = page.locator("[data-rank-card]").evaluate_all(
        "all => all.map((c) => c.dataset.rankCard)"
    )
    assert letters == ["A", "C", "B"]


def test_ranking_needs_no_script(
    page: Page, sign_in: SignIn, alice: User, browser_context_args: dict[str, object]
) -> None:
    sign_in(alice)
    grown = grow("P(A A)", state=TreeState.RANKING)
    url = take(alice, K.RANK_ASSISTANT_REPLIES, grown.root)
    browser = page.context.browser
    assert browser is not None
    plain = browser.new_context(**browser_context_args, java_script_enabled=False)  # type: ignore[arg-type]
    plain.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    bare = plain.new_page()
    bare.goto(url)
    for field, place in zip(bare.locator(".rank-number input").all(), ("2", "1"), strict=True):
        field.fill(place)
    bare.get_by_role("button", name="Submit and next").click()

    expect(bare.locator(".toasts")).to_contain_text("your order counts")
    first, second = Task.objects.get(kind=K.RANK_ASSISTANT_REPLIES).shown_ids
    assert groups() == [[second], [first]]
    plain.close()


# Reading


@pytest.fixture
def tree(page: Page, sign_in: SignIn, bob: User) -> Grown:
    """Bob reads a tree."""
    sign_in(bob)
    grown = grow("P(A(P) A)")
    page.goto(f"/messages/{grown[3].pk}/")
    return grown


def test_a_reaction_changes_in_place(page: Page, tree: Grown) -> None:
    card = page.locator(f"#m-{tree[1].pk}")
    card.get_by_role("button", name="Thumbs up").click()

    expect(card.get_by_role("button", name="Thumbs up")).to_have_attribute("aria-pressed", "true")
    expect(card.get_by_role("button", name="Thumbs up")).to_have_text("1")
    assert Reaction.objects.get().message == tree[1]


def test_more_reactions_are_chosen_in_a_dialog(page: Page, tree: Grown) -> None:
    card = page.locator(f"#m-{tree[1].pk}")
    card.get_by_role("link", name="More reactions").click()
    page.get_by_role("dialog").get_by_role("button", name="Clapping").click()

    expect(card.get_by_role("button", name="Clapping")).to_have_text("1")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(card.get_by_role("link", name="More reactions")).to_be_focused()
    assert Reaction.objects.get().code == "clap"


def test_a_report_goes_through_a_dialog(page: Page, tree: Grown) -> None:
    card = page.locator(f"#m-{tree[1].pk}")
    card.locator("summary[class*=button]").click()
    card.get_by_role("link", name="Report").click()
    dialog = page.get_by_role("dialog", name="Report this message")
    dialog.get_by_role("button", name="Report").click()
    dialog.get_by_label("Personal data").check()
    dialog.get_by_role("button", name="Report").click()

    expect(page.locator(".toast")).to_contain_text("The moderators will look")
    expect(dialog).to_be_hidden()
    assert Report.objects.get().category == "pii"


def test_a_tree_is_read_by_keyboard(page: Page, tree: Grown) -> None:
    page.keyboard.press("k")
    expect(page.locator(f"#m-{tree[2].pk}")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(f"#m-{tree[3].pk}")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(f"#m-{tree[3].pk}")).to_be_focused()


# Reporting


def report_by_key(page: Page, message: Message) -> None:
    """Press `r` and fill in what opens, without the mouse; the report is about `message`."""
    page.keyboard.press("r")
    dialog = page.get_by_role("dialog", name="Report this message")
    expect(dialog.get_by_label("Spam")).to_be_visible()
    dialog.get_by_label("Spam").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")

    expect(page.locator(".toast")).to_contain_text("The moderators will look")
    assert Report.objects.get().message == message


def test_r_reports_the_message_to_be_judged(page: Page, sign_in: SignIn, alice: User) -> None:
    sign_in(alice)
    reply = grow("P(A?)")[1]
    page.goto(take(alice, K.LABEL_ASSISTANT_REPLY, reply))
    page.get_by_role("group", name="Spam").get_by_label("No").focus()

    report_by_key(page, reply)


def test_r_reports_the_message_to_be_answered_but_never_in_an_answer(
    page: Page, writing: str
) -> None:
    field = page.get_by_label("Answer as the assistant")
    field.press("r")
    expect(field).to_have_value("r")
    expect(page.get_by_role("dialog")).to_be_hidden()

    page.locator(".focus-thread").focus()
    report_by_key(page, Message.objects.get())


def test_r_reports_the_reply_in_focus_among_those_to_rank(page: Page, ranking: Task) -> None:
    card = page.get_by_label("Reply B", exact=True)
    card.focus()

    report_by_key(page, Message.objects.get(pk=ranking.shown_ids[1]))


def test_r_reports_the_message_in_focus_of_a_tree_unless_it_is_ones_own(
    page: Page, sign_in: SignIn, bob: User
) -> None:
    sign_in(bob)
    tree = grow("P(A(P) A)", authors={1: bob})
    page.goto(f"/messages/{tree[3].pk}/")
    for _ in range(2):
        page.keyboard.press("k")
    expect(page.locator(f"#m-{tree[1].pk}")).to_be_focused()
    page.keyboard.press("r")
    page.keyboard.press("j")
    expect(page.locator(f"#m-{tree[2].pk}")).to_be_focused()
    expect(page.get_by_role("dialog")).to_be_hidden()

    report_by_key(page, tree[2])
