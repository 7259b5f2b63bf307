"""The pages in another language: nothing contributors see is left out of the catalogues."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import translation

from oasst.accounts.middleware import ENGLISH_PAGES, STAFF_NAMESPACES
from oasst.accounts.models import User
from oasst.lib import emails, timezones
from oasst.lib.languages import LANGUAGES
from tasks_app.enums import TaskType
from tests import pseudo
from tests.factories import person
from tests.journeys.work import something_of_every_kind
from tests.permissions.tables import CAST, Row, page_rows
from tests.permissions.world import World, build
from tests.sessions import browser_of, signed_in
from tests.undoing import undone

pytestmark = pytest.mark.slow

# Names, and what people of the tests write.
NAMES = {
    *LANGUAGES.values(),
    *dict(settings.LANGUAGES).values(),
    *(name.replace("_", " ") for name in timezones.known()),
    *("UTC", "Open Assistant", "Pseudo", "Alt ↑", "Alt ↓", "http://localhost", "noreply@localhost"),
    *("Alice", "Bob", "Max", "Mona", "Root", "alice@example.org", "max@example.org"),
    *("Harvest", "Tiny", "Other", "tiny", "other", "Hello", "Why?", "Why is the sky blue?"),
    *("Because of scattering", "I teach", "-W"),
}
MAILS = sorted(path.stem for path in (settings.BASE_DIR / "templates" / "emails").glob("*.subject"))
REFUSED = {"403", "404", "409", "422"}


@pytest.fixture(scope="module")
def pseudo_language(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("locale")
    pseudo.write_catalogue(folder)
    languages = [*settings.LANGUAGES, (pseudo.CODE, "Pseudo")]
    with override_settings(LANGUAGES=languages, LOCALE_PATHS=[folder]):
        yield
    translation.activate("en")


def bare(response: HttpResponse) -> list[str]:
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    return pseudo.bare_texts(response.content.decode(), known=NAMES) if is_page else []


def visitor(cookie: str | None = None) -> Client:
    client = browser_of(cookie)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = pseudo.CODE
    return client


def ask(world: World, who: str, row: Row) -> HttpResponse:
    client = visitor(world.sessions.get(who))
    data = {"csrfmiddlewaretoken": "x"} | world.data.get((row.route, row.of), {})
    url = reverse(row.route, kwargs=world.arguments.get(row.of) or None)
    with undone():
        return client.get(url) if row.method == "GET" else client.post(url, data)


def readers(row: Row) -> list[str]:
    """Who reads a page of their own: a visitor, Alice, and who is muted where that is told."""
    found = dict(zip(CAST, row.outcomes, strict=True))
    people = [who for who in ("anon", "alice") if found[who] == "200" or found[who] in REFUSED]
    is_told = found["max"] in REFUSED - {"404"} and found["max"] != found["alice"]
    return [*people, "max"] if is_told else people


def contributors_rows() -> list[Row]:
    return [
        row
        for row in page_rows()
        if row.route not in ENGLISH_PAGES and row.route.partition(":")[0] not in STAFF_NAMESPACES
    ]


def test_pages_have_no_text_outside_of_the_catalogue(
    db: None, pseudo_language: None, subtests: pytest.Subtests
) -> None:
    world = build()
    User.objects.update(ui_language=pseudo.CODE)
    for row in contributors_rows():
        for who in readers(row):
            with subtests.test((who, *row.request)):
                assert bare(ask(world, who, row)) == []


def test_tasks_of_a_newcomer_have_no_text_outside_of_the_catalogue(
    db: None, pseudo_language: None, subtests: pytest.Subtests
) -> None:
    something_of_every_kind()
    newcomer = person("Nora", ui_language=pseudo.CODE)
    web = signed_in(newcomer)
    for path in ("dashboard", "tasks", *(f"tasks/{kind}/next" for kind in TaskType)):
        with subtests.test(path):
            response = web.get(f"/{path}/", follow=True)
            assert response.status_code == 200
            assert pseudo.bare_texts(response.content.decode(), known={*NAMES, "Nora"}) == []


def test_error_pages_have_no_text_outside_of_the_catalogue(pseudo_language: None) -> None:
    with translation.override(pseudo.CODE):
        for name in ("400", "403", "403_csrf", "404", "429", "500", "503"):
            page = render_to_string(f"{name}.html", {"request_id": "", "retry_after_s": 3})
            assert (name, pseudo.bare_texts(page, known=NAMES)) == (name, [])


def test_mails_have_no_text_outside_of_the_catalogue(pseudo_language: None) -> None:
    context: dict[str, Any] = {
        "link": "http://localhost", "code": "123456", "valid_minutes": 15, "name": "Alice",
        "email": "alice@example.org", "lines": [], "page": "", "stop": "",
        "text": "",
    }  # fmt: skip
    for name in MAILS:
        message = emails.render(name, "alice@example.org", context, language=pseudo.CODE)
        for part in (message.subject, str(message.body), str(message.alternatives[0][0])):
            text = re.sub(r"http://\S+", "", part)
            assert (name, pseudo.bare_texts(text, known=NAMES)) == (name, [])
