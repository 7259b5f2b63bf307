"""The first minute as a newcomer has it: judge a practice item without an account, read why, sign
in by the link, and do a first real review. Pages, clicks and bytes are counted, times printed."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Locator, Page, expect

from oasst.accounts.models import User
from tasks_app.enums import TreeState
from tasks_app.models import TextLabels
from tests.factories import grow
from tests.journeys.looks import problems
from tests.journeys.mails import link_from_mailbox

MOST_BYTES = 150_000
MOST_CLICKS, MOST_PAGES = 6, 8
# A slow 4G, as WebPageTest and Lighthouse have it.
SLOW_4G = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_600_000 / 8,
    "uploadThroughput": 750_000 / 8,
}


class Way:
    """What somebody did on the way, and how long it took."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks, self.pages = page, 0, 0
        self.spent_s, self._since = 0.0, time.monotonic()
        page.on("framenavigated", self._count)

    def _count(self, frame: object) -> None:
        self.pages += frame == self.page.main_frame

    def __str__(self) -> str:
        return f"{self.clicks} clicks, {self.pages} pages, {self.spent_s:.1f} s on slow 4G"

    def click(self, target: Locator) -> None:
        target.click()
        self.clicks += 1

    def pause(self) -> None:
        """Stop the watch: what follows is no part of the way."""
        self.spent_s += time.monotonic() - self._since

    def go_on(self) -> None:
        self._since = time.monotonic()


@pytest.fixture
def slow(page: Page) -> CDPSession:
    """The page on a phone's network."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW_4G)
    return session


@pytest.fixture
def plain(new_context: Callable[..., BrowserContext]) -> Page:
    """A browser on a phone that runs no scripts."""
    page = new_context(java_script_enabled=False).new_page()
    page.set_viewport_size({"width": 360, "height": 740})
    return page


def test_from_practice_to_a_first_review(
    page: Page, slow: CDPSession, newcomer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
    way = Way(page)
    page.goto("/")
    way.click(page.get_by_role("button", name="Yes, it is spam"))
    expect(page.get_by_role("heading", level=1)).to_have_text("We see this one differently")
    expect(page.get_by_text("It takes the question seriously")).to_be_visible()
    page.get_by_label("E-mail address").fill(newcomer)
    way.click(page.get_by_role("button", name="Send me the mail"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")
    way.pause()
    link = link_from_mailbox(page.context.new_page(), newcomer)
    way.go_on()
    sign_in_and_review(way, link)
    way.pause()

    tell(capsys, f"practice to first review: {way}")
    user = User.objects.get(email=newcomer)
    assert user.first_steps.practised_at is not None
    assert TextLabels.objects.get().user == user
    assert (way.clicks <= MOST_CLICKS, way.pages <= MOST_PAGES) == (True, True)


def sign_in_and_review(way: Way, link: str) -> None:
    """From the mail to the first real review, which is handed out without asking for it."""
    page = way.page
    page.goto(link)
    way.click(page.get_by_role("button", name="Continue"))
    expect(page.get_by_role("checkbox", name="English")).to_be_checked()
    way.click(page.get_by_role("button", name="Agree and start"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Review an initial prompt")
    expect(page.locator(".toast")).to_contain_text("Your practice counts as your first step")
    expect(page.get_by_text("Your first task of this kind")).to_be_visible()
    way.click(page.locator("label", has=page.locator("[name=spam][value='0']")))
    way.click(page.get_by_role("button", name="Submit and next"))
    expect(page.locator(".toast")).to_contain_text("your review counts")


TAP_MS = 80  # so long a finger stays on a phone's glass
# When the finger was lifted, by a clock that the next page shares.
REMEMBER_TAP = """addEventListener("click", event =>
    sessionStorage.setItem("tapped", performance.timeOrigin + event.timeStamp), true)"""
SINCE_TAP = """() => new Promise(done => new PerformanceObserver(list => {
    const [load] = performance.getEntriesByType("navigation");
    const [paint] = list.getEntriesByName("first-contentful-paint");
    const begun = performance.timeOrigin - Number(sessionStorage.getItem("tapped"));
    done({ painted_ms: begun + paint.startTime, loaded_bytes: load.transferSize });
}).observe({ type: "paint", buffered: true }))"""


def test_feedback_on_practice_is_on_its_way_before_the_tap_ends(
    page: Page, slow: CDPSession, capsys: pytest.CaptureFixture[str]
) -> None:
    page.add_init_script(REMEMBER_TAP)
    seen = []
    for lang in ("en", "de", "es", "fr", "ru"):
        page.goto(f"/practice/?lang={lang}")
        page.get_by_role("button", name="Yes, it is spam").click(delay=TAP_MS)
        expect(page.get_by_role("heading", level=1)).to_contain_text("We see")
        seen.append(page.evaluate(SINCE_TAP))

    waits = sorted(round(each["painted_ms"]) for each in seen)
    tell(capsys, f"tap to feedback: {waits[2]} ms, at most {waits[-1]}, on slow 4G")
    assert [each["loaded_bytes"] for each in seen] == [0] * 5


class Scales:
    """What the loads of a page weigh on the wire: heads and bodies, as the site serves them. The
    test site does not even compress its static files."""

    def __init__(self, session: CDPSession) -> None:
        self._sizes: dict[str, float] = {}
        self._names: dict[str, str] = {}
        session.on("Network.responseReceived", self._name)
        session.on("Network.loadingFinished", self._weigh)

    def _name(self, event: dict[str, Any]) -> None:
        self._names[event["requestId"]] = urlsplit(event["response"]["url"]).path

    def _weigh(self, event: dict[str, Any]) -> None:
        self._sizes[event["requestId"]] = event["encodedDataLength"]

    @property
    def loads(self) -> list[tuple[float, str]]:
        """Bytes and path of every load, the heaviest first."""
        weighed = [(size, self._names[key]) for key, size in self._sizes.items()]
        return sorted(weighed, reverse=True)


def test_the_first_page_weighs_at_most_150_kilobytes(
    page: Page, slow: CDPSession, capsys: pytest.CaptureFixture[str]
) -> None:
    scales = Scales(slow)
    page.goto("/", wait_until="networkidle")
    painted_ms = page.evaluate(
        "() => new Promise(done => new PerformanceObserver(list =>"
        " done(list.getEntries().at(-1).startTime))"
        ".observe({ type: 'largest-contentful-paint', buffered: true }))"
    )

    total = sum(size for size, _path in scales.loads)
    words = f"{total / 1000:.1f} kB in {len(scales.loads)} requests"
    tell(capsys, f"first page: {words}, largest paint {painted_ms:.0f} ms on slow 4G")
    assert len(scales.loads) > 10
    assert total <= MOST_BYTES, scales.loads[:4]


def test_practice_needs_no_scripts(plain: Page, newcomer: str) -> None:
    plain.goto("/")
    plain.get_by_role("button", name="No, it belongs here").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("We see it the same way")
    plain.get_by_role("link", name="Another example first").click()
    plain.get_by_role("button", name="Yes, it is spam").click()
    plain.get_by_label("E-mail address").fill(newcomer)
    plain.get_by_role("button", name="Send me the mail").click()

    expect(plain.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")
    plain.goto(link_from_mailbox(plain.context.new_page(), newcomer))
    plain.get_by_role("button", name="Continue").click()
    grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
    plain.get_by_role("button", name="Agree and start").click()
    plain.locator("label", has=plain.locator("[name=spam][value='0']")).click()
    plain.get_by_role("button", name="Submit and next").click()
    expect(plain.get_by_text("your review counts").first).to_be_visible()

    user = User.objects.get(email=newcomer)
    assert user.first_steps.practised_at is not None
    assert TextLabels.objects.get().user == user


def test_practice_pages_break_no_rule(page: Page, show: Callable[[str], None]) -> None:
    for path in ("/practice/", "/practice/?lang=ar", "/practice/en-bread/?answer=yes"):
        show(path)
        assert (path, problems(page)) == (path, [])


def test_hints_are_put_away_by_keyboard_and_break_no_rule(
    page: Page, show: Callable[[str], None], sign_in: Callable[[User], None], alice: User
) -> None:
    grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
    sign_in(alice)
    show("/tasks/label_initial_prompt/next/")
    assert problems(page) == []
    page.get_by_role("button", name="Got it, no more hints").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("status").filter(has_text="No more hints")).to_be_focused()
    assert problems(page) == []
    page.reload()
    expect(page.get_by_text("Your first task of this kind")).to_have_count(0)


def tell(capsys: pytest.CaptureFixture[str], words: str) -> None:
    with capsys.disabled():
        print(f" [{words}]", end="")  # noqa: T201
