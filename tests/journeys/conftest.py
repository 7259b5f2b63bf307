"""Journeys: a real Chromium drives a real daphne with a worker, on a database of their own.

They run in a pytest process apart from the other tests (`make test-browser`).
"""

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
)
from pytest_django import DjangoDbBlocker
from pytest_playwright.pytest_playwright import CreateContextCallback

from oasst.accounts.models import User
from tests import stack
from tests.journeys.looks import LOOKS, Look
from tests.sessions import cookie_of

# The shell has no window around its pages, which saves a fifth of the time.
NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Playwright's event loop runs in this thread; the ORM is only used between its calls.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = pytest.mark.skip(reason="no Chromium on PATH or in CHROMIUM")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(missing)


# Two sites, two browsers and whatever else share the machine: what takes a moment may take longer.
expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {"executable_path": CHROMIUM, "args": CHROMIUM_ARGUMENTS}


@pytest.fixture(scope="session")
def browser_context_args(site: str) -> dict[str, Any]:
    return {"base_url": site, "locale": "en-GB", "viewport": {"width": 1280, "height": 800}}


@pytest.fixture(scope="session")
def site(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of a running site on the test database."""
    with (
        stack.web(_folder()) as (address, _process),
        _command(address, "rqworker", "default", "long"),
    ):
        yield address


def _folder() -> Path:
    """Logs of this process: with `-n` each has a site of its own."""
    return Path(settings.VAR_DIR) / "journeys" / os.environ.get("PYTEST_XDIST_WORKER", "")


def _command(site: str, *words: str) -> AbstractContextManager[stack.Process]:
    """A command of manage.py that runs beside the site."""
    log = _folder() / f"{words[0]}.log"
    return stack.running(["manage.py", *words], log, stack.environment(site))


@pytest.fixture(scope="module")
def run_beside(site: str) -> Iterator[Callable[..., None]]:
    """Start a command of manage.py beside the site, until the module ends."""
    with ExitStack() as beside:

        def run(*words: str) -> None:
            beside.enter_context(_command(site, *words))

        yield run


@pytest.fixture(autouse=True)
def _journey_database(transactional_db: None) -> Iterator[None]:
    """What a test writes is seen by the site, and gone afterwards."""
    yield
    _wait_until_idle()


def _wait_until_idle() -> None:
    """Let the site finish what closed pages asked for last: emptying tables would deadlock."""
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    quiet = 0
    while quiet < 5:
        with connection.cursor() as cursor:
            cursor.execute(busy)
            quiet = 0 if cursor.fetchone()[0] else quiet + 1
        time.sleep(0.02)


@pytest.fixture
def new_context(
    new_context: CreateContextCallback, site: str
) -> Iterator[Callable[..., BrowserContext]]:
    """Browsers whose pages may not log errors, break their Content-Security-Policy, miss files or
    call other sites."""
    faults: list[str] = []

    def watched(**options: Any) -> BrowserContext:
        context = new_context(**options)
        _watch(context, site, faults.append)
        return context

    yield watched
    assert faults == []


def _watch(context: BrowserContext, site: str, note: Callable[[str], None]) -> None:
    def on_console(message: ConsoleMessage) -> None:
        # A refused form answers with 4xx, which Chromium logs; that is no fault of the page.
        if message.type == "error" and "Failed to load resource" not in message.text:
            note(message.text)

    def on_response(response: Response) -> None:
        if response.status >= 500 or (response.status >= 400 and "/static/" in response.url):
            note(f"{response.status} {response.url}")

    def on_request(request: Request) -> None:
        if not request.url.startswith((site, "data:", "blob:")):
            note(f"request to {request.url}")

    context.on("console", on_console)
    context.on("weberror", lambda error: note(str(error.error)))
    context.on("response", on_response)
    context.on("request", on_request)


@pytest.fixture
def page_of(new_context: Callable[..., BrowserContext], site: str) -> Callable[..., Page]:
    """A browser of somebody's own; `java_script_enabled=False` makes one without scripts."""

    def opened(user: User, **options: Any) -> Page:
        context = new_context(**options)
        context.add_cookies([_cookie(user, site)])
        return context.new_page()

    return opened


@pytest.fixture
def newcomer() -> str:
    """An address that no earlier mail in the mailbox is for."""
    return f"newcomer-{uuid.uuid4().hex[:8]}@example.org"


@pytest.fixture
def sign_in(context: BrowserContext, site: str) -> Callable[[User], None]:
    """Sign somebody in without a mail; `test_sign_in.py` goes the whole way."""

    def go(user: User) -> None:
        context.add_cookies([_cookie(user, site)])

    return go


def _cookie(user: User, site: str) -> Any:
    return {"name": settings.SESSION_COOKIE_NAME, "value": cookie_of(user), "url": site}


@pytest.fixture(
    params=[LOOKS[0], *(pytest.param(look, marks=pytest.mark.full) for look in LOOKS[1:])],
    ids=str,
)
def look(request: pytest.FixtureRequest) -> Look:
    return request.param


@pytest.fixture
def show(page: Page, look: Look) -> Callable[[str], None]:
    """Open a page in a look."""
    page.emulate_media(color_scheme="dark" if look.theme == "dark" else "light")
    if look.on_phone:
        page.set_viewport_size({"width": 360, "height": 740})
    # Before anything is drawn, so that no transition is caught half-way.
    page.add_init_script(
        "new MutationObserver((_, watch) => { if (document.documentElement) {"
        f" document.documentElement.dir = '{look.direction}'; watch.disconnect(); }} }})"
        ".observe(document, { childList: true });"
    )

    def go(path: str) -> None:
        page.goto(path)
        assert page.evaluate("document.documentElement.dir") == look.direction

    return go
