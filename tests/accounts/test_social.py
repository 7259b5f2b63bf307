"""What the pages offer of providers; signing in through one: `test_identities.py`."""

import pytest
from django.test import Client
from pytest_django import Settings

APP = {"client_id": "id", "secret": "secret", "name": "Discord"}


@pytest.fixture(autouse=True)
def discord(settings: Settings) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = {"discord": {"APPS": [APP], "SCOPE": ["email"]}}


def test_login_page_offers_providers_and_lets_the_form_go_there(client: Client, db: None) -> None:
    response = client.get("/accounts/login/?next=/tasks/")

    page = response.content.decode()
    assert "Continue with Discord" in page
    assert 'action="/accounts/discord/login/?next=%2Ftasks%2F"' in page
    assert "https://discord.com" in response["Content-Security-Policy"]


def test_login_page_without_providers_offers_none(
    client: Client, db: None, settings: Settings
) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = {}

    assert "Continue with" not in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize("path", ["login/cancelled", "login/error"])
def test_pages_of_a_failed_sign_in(client: Client, db: None, path: str) -> None:
    response = client.get(f"/accounts/3rdparty/{path}/")

    assert "Signing in did not work" in response.content.decode()


@pytest.mark.parametrize(
    "path", ["password/reset/", "password/change/", "email/", "confirm-email/"]
)
def test_allauths_other_forms_are_not_there(client: Client, db: None, path: str) -> None:
    assert client.get(f"/accounts/{path}").status_code == 404


def test_sign_up_leads_to_sign_in(client: Client, db: None) -> None:
    assert client.get("/accounts/signup/?next=/x/")["Location"] == "/accounts/login/?next=/x/"
