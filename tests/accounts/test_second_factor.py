"""A second factor by app and recovery codes, and who has to have one."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core import mail
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from oasst.accounts.middleware import STAFF_PAGES
from oasst.accounts.models import User
from tests.accounts.conftest import Ask, Post, user_id
from tests.permissions.tables import page_rows
from tests.sessions import signed_in

PAGES = "/account/second-factor/"


def code_of(secret: str) -> str:
    """What an authenticator app shows now."""
    return format_hotp_value(hotp_value(secret, int(datetime.now(UTC).timestamp()) // 30))


def set_up(client: Client) -> str:
    """Set up an app; returns the secret that it keeps."""
    page = client.get(f"{PAGES}app/").content.decode()
    secret = re.findall(r"<code class=\"token-key\">(\w+)</code>", page)[0]
    response = client.post(f"{PAGES}app/", {"code": code_of(secret)})
    assert response["Location"] == f"{PAGES}codes/"
    return secret


def test_an_app_is_set_up_asked_for_and_removed(
    alice: User,
    ask: Ask,
    post: Post,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client, other = signed_in(alice), Client()
    with django_capture_on_commit_callbacks(execute=True):
        secret = set_up(client)
    assert "now protects your account" in mail.outbox[-1].body

    asked = post(other, ask(other, alice.email).link)
    assert asked["Location"] == f"{PAGES}sign-in/"
    assert other.post(f"{PAGES}sign-in/", {"code": "000000"}).status_code == 200
    assert user_id(other) is None
    other.post(f"{PAGES}sign-in/", {"code": code_of(secret)})
    assert user_id(other) == str(alice.pk)

    client.post(f"{PAGES}app/remove/")
    assert not Authenticator.objects.exists()


def test_each_recovery_code_opens_the_account_once(alice: User, ask: Ask, post: Post) -> None:
    client = signed_in(alice)
    set_up(client)
    page = client.get(f"{PAGES}codes/").content.decode()
    codes = re.findall(r"<code>([\w-]+)</code>", page)
    assert len(codes) == 10
    assert client.get(f"{PAGES}codes/file/").content.decode().split() == codes

    for code, is_in in [(codes[0], True), (codes[0], False), (codes[1], True)]:
        other = Client()
        post(other, ask(other, alice.email).link)
        other.post(f"{PAGES}sign-in/", {"code": code})
        assert (user_id(other) is not None) == is_in


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/accounts/user/", "/training/", "/admin/search/"]
)
def test_staff_without_a_factor_is_led_to_set_it_up(
    path: str, mona: User, alice: User, settings: Settings
) -> None:
    assert signed_in(mona).get(path).status_code == 200
    settings.STAFF_MFA_REQUIRED = True
    client = signed_in(mona)

    page = client.get(path, follow=True)

    assert page.redirect_chain[-1] == (PAGES, 302)
    assert "opens once your account has a second factor" in page.content.decode()
    assert client.post("/admin/accounts/user/", {"action": "x"})["Location"] == PAGES
    assert client.get("/dashboard/").status_code == 200
    assert signed_in(alice).get("/dashboard/").status_code == 200


def test_no_page_of_staff_opens_without() -> None:
    refused, opened = 1, 4  # Alice's column and Mona's
    of_staff = {
        row.route for row in page_rows() if row.outcomes[refused] == "403" != row.outcomes[opened]
    }

    assert {route for route in of_staff if not route.startswith("training:")} == STAFF_PAGES


def test_the_desk_opens_for_a_working_day(mona: User, settings: Settings) -> None:
    settings.STAFF_MFA_REQUIRED = True
    client, elsewhere = signed_in(mona), signed_in(mona)
    secret = set_up(client)
    assert client.get("/admin/").status_code == 200
    assert elsewhere.get("/admin/")["Location"] == f"{PAGES}again/?next=%2Fadmin%2F"

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=9)):
        asked = client.get("/admin/accounts/user/")
        assert asked["Location"] == f"{PAGES}again/?next=%2Fadmin%2Faccounts%2Fuser%2F"
        answer = client.post(asked["Location"], {"code": code_of(secret)})
        assert answer["Location"] == "/admin/accounts/user/"
        assert client.get("/admin/accounts/user/").status_code == 200


def test_an_operator_helps_who_lost_everything(mona: User) -> None:
    client = signed_in(mona)
    set_up(client)

    call_command("reset_second_factor", mona.email)

    assert not Authenticator.objects.exists()
    assert client.get("/account/").status_code == 302
