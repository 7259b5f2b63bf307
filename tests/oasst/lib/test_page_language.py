"""In which language a page, a mail and a message of the chat speak."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client, override_settings
from django.utils import translation

from oasst.accounts import people
from oasst.accounts.models import User
from oasst.lib import page_language
from tests.sessions import signed_in

# Arabic and German as Django itself brings them, whatever is on offer.
OFFERED = [("en", "English"), ("de", "Deutsch"), ("ar", "العربية"), ("zh-hans", "简体中文")]
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.5"}


@pytest.fixture(autouse=True)
def _languages() -> Iterator[None]:
    with override_settings(LANGUAGES=OFFERED):
        yield
    translation.activate("en")


def test_visitor_reads_what_the_browser_asks_for(client: Client, db: None) -> None:
    page = client.get("/terms/", **GERMAN)

    assert '<html lang="de" dir="ltr"' in page.content.decode()
    assert page["Content-Language"] == "de"
    assert {"Accept-Language", "Cookie"} <= {each.strip() for each in page["Vary"].split(",")}


def test_switch_wins_over_the_browser_and_keeps_the_page(client: Client, db: None) -> None:
    form = client.get("/stats/?span=all", **GERMAN).content.decode()
    there = client.post("/language/", {"language": "ar", "next": "/stats/?span=all"}, **GERMAN)
    page = client.get("/terms/", **GERMAN).content.decode()

    assert 'action="/language/"' in form
    assert 'name="next" value="/stats/?span=all"' in form
    assert there["Location"] == "/stats/?span=all"
    assert '<html lang="ar" dir="rtl"' in page
    assert 'value="ar" lang="ar" aria-current="true"' in page


def test_switch_refuses_other_sites_and_unknown_languages(client: Client, db: None) -> None:
    away = client.post("/language/", {"language": "de", "next": "https://example.org/"})
    unknown = client.post("/language/", {"language": "xx", "next": "/terms/"})

    assert away["Location"] == "/"
    assert settings.LANGUAGE_COOKIE_NAME not in unknown.cookies
    assert client.get("/language/").status_code == 405


def test_account_remembers_its_language_apart_from_what_one_contributes_in(alice: User) -> None:
    before = alice.contribution_languages
    signed_in(alice).post("/language/", {"language": "de", "next": "/dashboard/"})
    alice.refresh_from_db()
    # Another browser, which asks for something else.
    page = signed_in(alice).get("/dashboard/", HTTP_ACCEPT_LANGUAGE="ar")

    assert (alice.ui_language, alice.contribution_languages) == ("de", before)
    assert page["Content-Language"] == "de"


def test_language_no_longer_on_offer_is_english(alice: User) -> None:
    User.objects.update(ui_language="eo")

    assert signed_in(alice).get("/dashboard/")["Content-Language"] == "en"


def test_pages_for_staff_are_english_as_a_whole(root: User) -> None:
    User.objects.update(ui_language="de")
    web = signed_in(root)

    for path in ("/admin/", "/training/", "/stats/agreement/disputed/", "/leaderboard/prizes/"):
        assert (path, web.get(path)["Content-Language"]) == (path, "en")
    assert web.get("/leaderboard/")["Content-Language"] == "de"


def test_new_account_speaks_as_its_first_page_did(db: None) -> None:
    with translation.override("de"):
        user, is_new = people.find_or_create("new@example.org")

    assert (is_new, user.ui_language) == (True, "de")


def test_sign_in_mail_speaks_as_the_page_that_asked_for_it(
    client: Client, transactional_db: None
) -> None:
    client.post("/accounts/login/", {"email": "new@example.org"}, **GERMAN)

    assert mail.outbox[0].extra_headers["Content-Language"] == "de"
    assert '<html lang="de" dir="ltr">' in str(mail.outbox[0].alternatives[0][0])


def test_numbers_of_forms_and_pictures_are_for_machines(alice: User) -> None:
    User.objects.update(ui_language="de")
    page = signed_in(alice).get("/chat/settings/").content.decode()

    assert 'step="0,' not in page


@pytest.mark.parametrize(
    ("lang", "found"), [("de", "de"), ("zh", "zh-hans"), ("pt-BR", None), ("ar", "ar")]
)
def test_contribution_language_is_read_in_the_closest_language_of_pages(
    lang: str, found: str | None
) -> None:
    assert page_language.closest(lang) == found


def test_guidelines_say_when_a_language_has_none(client: Client, db: None) -> None:
    translated = client.get("/guidelines/zh/").content.decode()
    missing = client.get("/guidelines/pt-BR/").content.decode()

    assert '<div class="guide" lang="zh-hans" dir="ltr">' in translated
    assert "not translated into" not in translated
    assert '<div class="guide" lang="en" dir="ltr">' in missing
    assert "not translated into <bdi" in missing
    assert client.get("/guidelines/nonsense/").status_code == 404
