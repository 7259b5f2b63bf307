"""The account page, the welcome page, the terms gate and the end of all sessions."""

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from oasst.accounts.models import User
from tests.accounts.conftest import LOGIN, Ask, user_id

pytestmark = pytest.mark.slow

PROFILE = {
    "display_name": "Alice B.",
    "contribution_languages": ["de", "pt-BR"],
    "ui_language": "en",
    "theme": "dark",
    "shortcuts_enabled": "",
    "time_zone": "Europe/Berlin",
}


@pytest.fixture
def newcomer(db: None, client: Client) -> User:
    """Has signed in for the first time."""
    user = User.objects.create_user("newcomer@example.org")
    client.force_login(user)
    return user


def test_profile_is_saved(client: Client, alice: User) -> None:
    client.force_login(alice)

    response = client.post("/account/", PROFILE)

    alice.refresh_from_db()
    assert response["Location"] == "/account/"
    assert alice.display_name == "Alice B."
    assert alice.contribution_languages == ["de", "pt-BR"]
    assert alice.theme == "dark"
    assert not alice.shortcuts_enabled
    assert alice.time_zone == "Europe/Berlin"
    assert not alice.on_leaderboard


@pytest.mark.parametrize(
    "change",
    [
        {"contribution_languages": []},
        {"contribution_languages": ["tlh"]},
        {
            "contribution_languages": [
                "de",
                "en",
                "fr",
                "es",
                "it",
                "nl",
                "pl",
                "sv",
                "da",
                "fi",
                "cs",
            ]
        },
        {"ui_language": "xx"},
        {"theme": "sepia"},
        {"display_name": ""},
    ],
)
def test_bad_profile_is_explained_and_not_saved(client: Client, alice: User, change: dict) -> None:
    client.force_login(alice)

    response = client.post("/account/", {**PROFILE, **change})

    alice.refresh_from_db()
    assert response.status_code == 400
    assert "field-errors" in response.content.decode()
    assert (alice.display_name, alice.theme) == ("Alice", "system")


def test_profile_cannot_give_rights(client: Client, alice: User) -> None:
    client.force_login(alice)
    rights = {"is_staff": "on", "is_superuser": "on", "groups": "1", "email": "x@example.org"}

    client.post("/account/", {**PROFILE, **rights, "tos_version": "99", "muted_until": ""})

    after = User.objects.get(pk=alice.pk)
    assert (after.is_staff, after.is_superuser, after.groups.count()) == (False, False, 0)
    assert (after.email, after.tos_version) == (alice.email, alice.tos_version)


@pytest.mark.parametrize(
    "path",
    ["/account/", "/account/welcome/", "/account/email/", "/account/delete/", "/account/data/"],
)
def test_account_pages_need_a_sign_in(client: Client, db: None, path: str) -> None:
    assert client.get(path)["Location"] == f"{LOGIN}?next={path}"


@pytest.mark.parametrize(
    "path", ["/account/sessions/end/", "/account/email/code/", "/accounts/login/code/"]
)
def test_posts_refuse_get(client: Client, alice: User, path: str) -> None:
    client.force_login(alice)

    assert client.get(path).status_code == 405
    assert user_id(client)


def test_every_session_ends(client: Client, ask: Ask, alice: User) -> None:
    phone, sent = Client(), ask(Client())
    for browser in (client, phone):
        browser.force_login(alice)

    response = client.post("/account/sessions/end/")

    assert response["Location"] == LOGIN
    for browser in (client, phone):
        assert browser.get("/account/")["Location"].startswith(LOGIN)
    assert Client().post(sent.link).status_code == 410


def test_sessions_of_others_stay(client: Client, alice: User, bob: User) -> None:
    others = Client()
    others.force_login(bob)
    client.force_login(alice)

    client.post("/account/sessions/end/")

    assert others.get("/account/").status_code == 200


def test_newcomer_is_asked_first_and_led_on(client: Client, newcomer: User) -> None:
    gate = client.get("/account/?tab=1")
    assert gate["Location"] == "/account/welcome/?next=%2Faccount%2F%3Ftab%3D1"
    form = {"contribution_languages": ["sv"], "display_name": "", "next": "/account/?tab=1"}

    response = client.post("/account/welcome/", form)

    newcomer.refresh_from_db()
    assert response["Location"] == "/account/?tab=1"
    assert newcomer.contribution_languages == ["sv"]
    assert newcomer.tos_version == "1"
    assert newcomer.tos_accepted_at is not None
    assert client.get("/account/").status_code == 200


def test_languages_are_guessed_from_the_browser(client: Client, newcomer: User) -> None:
    page = client.get("/account/welcome/", headers={"Accept-Language": "sv-SE,de;q=0.8"})

    form = page.context["form"]
    assert form["contribution_languages"].value() == ["sv", "de"]
    assert page.content.decode().count("checked") == 2


def test_welcome_without_a_language_is_not_an_agreement(client: Client, newcomer: User) -> None:
    response = client.post("/account/welcome/", {"display_name": "N"})

    newcomer.refresh_from_db()
    assert "at least one language" in response.content.decode()
    assert newcomer.tos_version == ""


def test_newcomer_cannot_post_past_the_gate(client: Client, newcomer: User) -> None:
    response = client.post("/account/", PROFILE)

    newcomer.refresh_from_db()
    assert response["Location"] == "/account/welcome/"
    assert newcomer.display_name == ""


@pytest.mark.parametrize("path", ["/terms/", "/privacy/", "/account/delete/", "/account/data/"])
def test_some_pages_are_open_before_agreeing(client: Client, newcomer: User, path: str) -> None:
    assert client.get(path).status_code == 200


def test_declining_signs_out_and_changes_nothing(client: Client, newcomer: User) -> None:
    client.post("/accounts/logout/")

    newcomer.refresh_from_db()
    assert user_id(client) is None
    assert newcomer.tos_version == ""


def test_changed_terms_are_asked_again_but_an_open_form_still_goes_through(
    client: Client, alice: User, settings: Settings
) -> None:
    client.force_login(alice)
    settings.TOS_VERSION = "2"

    saved = client.post("/account/", PROFILE)
    gate = client.get("/account/")
    page = client.get(gate["Location"]).content.decode()
    client.post("/account/welcome/", {"contribution_languages": ["en"], "display_name": "A"})

    assert saved["Location"] == "/account/"
    assert gate["Location"] == "/account/welcome/?next=%2Faccount%2F"
    assert "terms have changed" in page
    assert User.objects.get(pk=alice.pk).tos_version == "2"
    assert client.get("/account/").status_code == 200


def test_htmx_request_is_led_to_the_welcome_page(client: Client, newcomer: User) -> None:
    response = client.get("/account/", headers={"HX-Request": "true"})

    assert (response.status_code, response["HX-Redirect"]) == (200, "/account/welcome/")


def test_pages_speak_the_accounts_language(client: Client, alice: User, settings: Settings) -> None:
    settings.LANGUAGES = [("en", "English"), ("ar", "Arabic")]
    User.objects.update(ui_language="ar")
    client.force_login(alice)

    page = client.get("/terms/", headers={"Accept-Language": "en"})

    assert 'lang="ar" dir="rtl"' in page.content.decode()
    assert page["Content-Language"] == "ar"


def test_account_page_needs_few_queries(
    client: Client, alice: User, django_assert_max_num_queries: object
) -> None:
    client.force_login(alice)

    with django_assert_max_num_queries(9):  # type: ignore[operator]
        client.get("/account/")


def test_mute_and_ban_end_contributing(alice: User) -> None:
    now = timezone.now()

    assert alice.may_contribute(now)
    alice.muted_until = now + timezone.timedelta(hours=1)
    assert not alice.may_contribute(now)
    assert alice.may_contribute(now + timezone.timedelta(hours=2))
    alice.is_active = False
    assert not alice.may_contribute(now + timezone.timedelta(hours=2))
