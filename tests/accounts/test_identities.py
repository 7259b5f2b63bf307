"""Signing in through a real provider process, over the real endpoints, and several identities."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.discord.views import DiscordOAuth2Adapter
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from oasst.accounts.models import User
from tests.accounts.conftest import user_id
from tests.accounts.provider import CLIENT_ID, CLIENT_SECRET
from tests.sessions import signed_in

Come = Callable[..., HttpResponse]


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The address of a running provider."""
    program = [sys.executable, str(Path(__file__).with_name("provider.py"))]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture(autouse=True)
def _providers(provider: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    app = {"client_id": CLIENT_ID, "secret": CLIENT_SECRET}
    settings.SOCIALACCOUNT_PROVIDERS = {
        name: {"APPS": [app], "SCOPE": ["email"], "OAUTH_PKCE_ENABLED": True}
        for name in ("discord", "google")
    }
    for adapter in (DiscordOAuth2Adapter, GoogleOAuth2Adapter):
        monkeypatch.setattr(adapter, "authorize_url", f"{provider}/authorize")
        monkeypatch.setattr(adapter, "access_token_url", f"{provider}/token")
    monkeypatch.setattr(DiscordOAuth2Adapter, "profile_url", f"{provider}/users/@me")


@pytest.fixture
def come(
    db: None, provider: str, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> Come:
    """Go to the provider as somebody there, by its button, and come back."""

    def go(
        client: Client, to: str = "discord", process: str = "login", **person: object
    ) -> HttpResponse:
        requests.put(f"{provider}/person", json={"id": "7", **person}, timeout=5)
        there = client.post(f"/accounts/{to}/login/?process={process}")
        back = requests.get(there["Location"], allow_redirects=False, timeout=5)
        with django_capture_on_commit_callbacks(execute=True):
            return client.get(back.headers["Location"].removeprefix("http://testserver"))

    return go


@pytest.mark.parametrize("name", ["discord", "google"])
def test_a_newcomer_gets_an_account_and_finds_it_again(come: Come, name: str) -> None:
    first, second = Client(), Client()

    come(first, name, email="New@example.org", verified=True)
    come(second, name, email="moved@example.org", verified=True)

    user = User.objects.get()
    assert user.email == "new@example.org"
    assert user_id(first) == user_id(second) == str(user.pk)
    assert EmailAddress.objects.get().verified


def test_a_proven_address_joins_its_account_and_its_owner_is_told(come: Come, alice: User) -> None:
    client = Client()

    come(client, email=alice.email, verified=True)

    assert user_id(client) == str(alice.pk)
    assert [message.to for message in mail.outbox] == [[alice.email]]
    assert "was connected with yours" in mail.outbox[0].body


def test_an_address_that_the_provider_did_not_prove_joins_nothing(come: Come, alice: User) -> None:
    for name in ("discord", "google"):
        client = Client()

        assert (
            come(client, name, email=alice.email, verified=False)["Location"] == "/accounts/login/"
        )
        assert user_id(client) is None
    assert User.objects.get() == alice
    assert not SocialAccount.objects.exists()


def test_a_banned_person_stays_out(come: Come, trudy: User) -> None:
    client = Client()

    response = come(client, email=trudy.email, verified=True)

    assert response["Location"] == "/accounts/inactive/"
    assert user_id(client) is None


def test_two_identities_are_connected_and_disconnected(come: Come, alice: User) -> None:
    client = signed_in(alice)

    come(client, "discord", "connect", id="7", username="alice_d")
    come(client, "google", "connect", id="8", email="alice@elsewhere.example", verified=True)

    page = client.get("/account/").content.decode()
    assert "alice_d" in page
    assert "alice@elsewhere.example" in page
    assert user_id(client) == str(alice.pk)

    google = SocialAccount.objects.get(provider="google")
    client.post(f"/account/connections/{google.pk}/disconnect/")
    assert "alice@elsewhere.example" not in client.get("/account/").content.decode()
    assert SocialAccount.objects.get().provider == "discord"


def test_the_last_identity_stays_until_the_address_is_proven(come: Come, alice: User) -> None:
    client = signed_in(alice)
    come(client, "discord", "connect")
    path = f"/account/connections/{SocialAccount.objects.get().pk}/disconnect/"

    page = client.post(path, follow=True).content.decode()
    assert "only way into your account" in page
    assert SocialAccount.objects.exists()

    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    client.post(path)
    assert not SocialAccount.objects.exists()


def test_an_identity_of_somebody_else_is_not_taken_over(come: Come, alice: User, bob: User) -> None:
    come(signed_in(bob), "discord", "connect", id="7")
    client = signed_in(alice)

    come(client, "discord", "connect", id="7")
    come(client, "google", "connect", id="9", email=bob.email, verified=True)
    client.post(f"/account/connections/{SocialAccount.objects.get().pk}/disconnect/")

    assert SocialAccount.objects.get().user == bob
    assert "ask the moderators to merge them" in client.get("/account/").content.decode()


def test_a_forged_or_declined_return_signs_nobody_in(come: Come) -> None:
    client = Client()

    declined = come(client, declines=True)
    forged = client.get("/accounts/discord/login/callback/?code=guessed&state=guessed")

    assert declined["Location"] == "/accounts/3rdparty/login/cancelled/"
    assert "Signing in did not work" in forged.content.decode()
    assert user_id(client) is None
    assert not User.objects.exists()
