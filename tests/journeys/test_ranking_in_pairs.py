"""On a phone replies are compared two at a time until their order is known, the prompt in sight."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from oasst.accounts.models import User
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Message, Ranking, Task
from tests.factories import grow, hand_out
from tests.journeys.looks import problems

PageOf = Callable[..., Page]
SIZE = {"width": 360, "height": 740}

# Every order of up to four with ties: does asking lead to it, in no more questions than foretold?
EVERY_ORDER = """async () => {
    const { replay } = await import("/static/js/tasks/rank_pairs.js");
    const found = [];
    const ask = (places) => {
        const ids = [...places.keys()].map((n) => "ABCD"[n]);
        const place = (id) => places[ids.indexOf(id)];
        const answers = [];
        const most = replay(ids.map((id) => [id]), answers).left;
        for (;;) {
            const { order, pair } = replay(ids.map((id) => [id]), answers);
            if (!pair) {
                const wanted = [...new Set(places)].sort().map((n) =>
                    ids.filter((id) => place(id) === n).join(""));
                const got = order.map((group) => [...group].sort().join(""));
                return { isRight: `${got}` === `${wanted}`, asked: answers.length, most };
            }
            const [a, b] = pair.map(place);
            answers.push(a < b ? pair[0] : b < a ? pair[1] : "=");
        }
    };
    const digits = (code, n) => Array.from({ length: n }, (_, i) => Math.floor(code / n ** i) % n);
    for (let n = 1; n <= 4; n += 1)
        for (let code = 0; code < n ** n; code += 1) found.push({ n, ...ask(digits(code, n)) });
    return found;
}"""


@pytest.fixture
def task(transactional_db: None, alice: User) -> Task:
    """Three replies to rank, the last two of them long."""
    grown = grow("P(A A A)", state=TreeState.RANKING)
    long = [f"Reply {number}. " + "Bread rises in a warm place. " * 30 for number in (1, 2)]
    Message.objects.filter(pk=grown.root.pk).update(text="Why does bread rise? " * 20)
    for message, text in zip(grown.messages[2:], long, strict=True):
        Message.objects.filter(pk=message.pk).update(text=text)
    return hand_out(alice, TaskType.RANK_ASSISTANT_REPLIES, grown.root, now=timezone.now())


@pytest.fixture
def phone(page_of: PageOf, alice: User, task: Task) -> Page:
    """Alice has the task open on her phone."""
    page = page_of(alice, has_touch=True, is_mobile=True)
    page.set_viewport_size(SIZE)  # type: ignore[arg-type]
    page.goto(f"/tasks/{task.pk}/")
    return page


def answers(page: Page) -> Locator:
    return page.locator("[data-pair-answer]:visible")


def better(page: Page, letter: str) -> Locator:
    return page.get_by_role("button", name=f"Reply {letter} is better")


def groups(task: Task) -> list[list[str]]:
    """The stored order in letters as on the page."""
    letters = dict(zip(task.shown_ids, "ABC", strict=True))
    return [sorted(letters[pk] for pk in group) for group in Ranking.objects.get().groups]


def test_order_is_found_by_touch_and_looked_over_before_submit(phone: Page, task: Task) -> None:
    expect(phone.get_by_role("heading", name="Which reply is better?")).to_be_visible()
    expect(phone.locator("[data-pair-step]")).to_have_text("Question 1 of at most 3")
    expect(phone.get_by_role("button", name="Submit and next")).to_be_hidden()
    assert problems(phone) == []
    better(phone, "B").tap()
    better(phone, "C").tap()
    phone.get_by_role("button", name="Back to the question before").tap()
    better(phone, "C").tap()
    expect(phone.locator("[data-pair-step]")).to_have_text("Question 3 of at most 3")
    better(phone, "C").tap()

    expect(phone.locator("[data-rank-found]")).to_be_visible()
    expect(phone.locator("[data-rank-card]:focus")).to_have_count(1)
    phone.get_by_role("button", name="Submit and next").tap()
    expect(phone.locator(".toast")).to_contain_text("your order counts")
    assert groups(task) == [["C"], ["B"], ["A"]]


def test_two_at_a_time_are_shown_whole_however_long(phone: Page, task: Task) -> None:
    for number, pk in enumerate(task.shown_ids):
        Message.objects.filter(pk=pk).update(text=f"A long answer, {number}.\n\n" * 60)
    phone.reload()

    shown = phone.locator(".pairs .rank-text")
    expect(shown.first).to_contain_text("A long answer")
    hidden = shown.evaluate_all("all => all.map(each => each.scrollHeight - each.clientHeight)")
    assert max(hidden) <= 0


def test_order_is_found_by_keyboard_with_ties(phone: Page, task: Task) -> None:
    expect(answers(phone)).to_have_count(4)
    phone.keyboard.press("=")
    expect(phone.locator("[data-pair-step]")).to_contain_text("Question 2")
    phone.reload()
    expect(phone.locator("[data-pair-step]")).to_contain_text("Question 2")
    expect(better(phone, "C")).to_be_visible()
    phone.keyboard.press("0")

    expect(phone.locator("[data-rank-found]")).to_be_visible()
    phone.keyboard.press("Control+Enter")
    expect(phone.locator(".toast")).to_contain_text("your order counts")
    assert groups(task) == [["A", "B", "C"]]


def test_who_prefers_the_list_keeps_it(phone: Page) -> None:
    phone.get_by_role("button", name="Two at a time").tap()
    expect(phone.locator("[data-rank-card]:visible")).to_have_count(3)

    phone.reload()

    expect(phone.locator("[data-rank-card]:visible")).to_have_count(3)
    phone.locator("[data-rank-card]").first.focus()
    phone.keyboard.press("p")
    expect(answers(phone).first).to_be_focused()


def test_no_order_can_be_given_from_the_questions(phone: Page) -> None:
    phone.get_by_label("I cannot judge them").check()
    phone.get_by_role("button", name="Submit and next").tap()

    expect(phone.locator(".toast")).to_contain_text("your order counts")
    assert Ranking.objects.get().not_rankable


def test_prompt_stays_in_sight_and_opens(phone: Page) -> None:
    short = phone.locator("[data-rank-prompt]")
    expect(short).to_be_hidden()
    phone.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(short).to_be_visible()
    expect(short).to_be_in_viewport(ratio=1)
    short.locator("summary").tap()
    expect(short.locator(".rank-prompt-text")).to_be_in_viewport()
    assert problems(phone) == []


def test_differences_of_the_pair_are_marked(phone: Page) -> None:
    better(phone, "A").tap()
    phone.get_by_role("button", name="Show the differences").tap()

    dialog = phone.get_by_role("dialog", name="Differences")
    expect(dialog.locator("mark").first).to_have_css("text-decoration-line", "underline")
    expect(dialog.get_by_label("The first")).not_to_have_value("B")
    dialog.get_by_label("The second").select_option("A")
    dialog.get_by_label("The first").select_option("A")
    expect(dialog.get_by_role("status")).to_have_text("Word by word the same.")
    assert problems(phone) == []


def test_few_questions_find_every_order(page: Page, site: str) -> None:
    page.goto("/guidelines/")

    found: list[dict[str, Any]] = page.evaluate(EVERY_ORDER)

    assert len(found) == 1 + 4 + 27 + 256
    assert [each for each in found if not each["isRight"] or each["asked"] > each["most"]] == []
    assert {each["n"]: each["most"] for each in found} == {1: 0, 2: 1, 3: 3, 4: 5}
