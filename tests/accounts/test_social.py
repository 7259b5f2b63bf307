"""Signing in by way of Discord or Google: only with an address the provider has verified."""

import pytest
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from oasst.accounts.models import User

APP = {"client_id": "id", "secret": "secret", "name": "Discord"}


@pytest.fixture(autouse=True)
def discord(settings: Settings) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = {"discord": {"APPS": [APP], "SCOPE": ["email"]}}


@pytest.fixture
def request_(db: None) -> HttpRequest:
    """A visitor's request as it comes back from the provider."""
    request = RequestFactory().get("/accounts/discord/login/callback/")
    SessionMiddleware(lambda _: HttpResponse()).process_request(request)
    MessageMiddleware(lambda _: HttpResponse()).process_request(request)
    request.user = AnonymousUser()
    return request


def come_back(request: HttpRequest, email: str, *, verified: bool, uid: str = "7") -> HttpResponse:
    login = SocialLogin(
        provider=get_adapter().get_provider(request, "discord"),
        user=User(email=email.lower()),  # as allauth fills it from the provider's answer
        account=SocialAccount(provider="discord", uid=uid, extra_data={"id": uid}),
        email_addresses=[EmailAddress(email=email, verified=verified, primary=True)],
    )
    with context.request_context(request):
        return complete_social_login(request, login)


def test_verified_address_makes_an_account(request_: HttpRequest) -> None:
    response = come_back(request_, "New@example.org", verified=True)

    user = User.objects.get()
    assert response["Location"] == "/dashboard/"
    assert request_.session["_auth_user_id"] == str(user.pk)
    assert (user.email, user.tos_version) == ("new@example.org", "")
    assert user.emailaddress_set.get().verified


def test_verified_address_of_an_account_signs_in_there(request_: HttpRequest, alice: User) -> None:
    come_back(request_, alice.email, verified=True)

    assert request_.session["_auth_user_id"] == str(alice.pk)
    assert User.objects.count() == 1
    assert SocialAccount.objects.get().user == alice


def test_unverified_address_opens_nothing(request_: HttpRequest, alice: User) -> None:
    response = come_back(request_, alice.email, verified=False)

    assert response["Location"] == "/accounts/login/"
    assert "_auth_user_id" not in request_.session
    assert SocialAccount.objects.count() == 0


def test_banned_person_stays_out(request_: HttpRequest, trudy: User) -> None:
    response = come_back(request_, trudy.email, verified=True)

    assert response["Location"] == "/accounts/inactive/"
    assert "_auth_user_id" not in request_.session


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
