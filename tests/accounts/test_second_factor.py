"""A second factor by app and recovery codes, and who has to have one."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from oasst.accounts import jobs, second_factor
from oasst.accounts.middleware import STAFF_PAGES
from oasst.accounts.models import User
from oasst.lib import sealing
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


# What is stored


def stored() -> str:
    return json.dumps([row.data for row in Authenticator.objects.order_by("pk")])


def opens(user: User, ask: Ask, post: Post, code: str) -> bool:
    """Whether a code is taken where somebody signs in."""
    client = Client()
    post(client, ask(client, user.email).link)
    client.post(f"{PAGES}sign-in/", {"code": code})
    return user_id(client) == str(user.pk)


def test_secrets_are_stored_sealed(alice: User, ask: Ask, post: Post) -> None:
    client = signed_in(alice)
    secret = set_up(client)
    client.get(f"{PAGES}codes/")

    assert stored().count(sealing.MARK) == 2
    assert secret not in stored()
    assert opens(alice, ask, post, code_of(secret))


def test_secrets_from_before_are_read_and_sealed_once(alice: User, ask: Ask, post: Post) -> None:
    client = signed_in(alice)
    secret = set_up(client)
    codes = client.get(f"{PAGES}codes/file/").text.split()
    for row in Authenticator.objects.all():
        row.data |= {
            name: sealing.unseal(row.data[name]) for name in row.data.keys() & {"secret", "seed"}
        }
        row.save()
    assert (secret in stored(), sealing.MARK in stored()) == (True, False)
    assert opens(alice, ask, post, codes[0])

    jobs.seal_second_factors()

    assert (secret in stored(), stored().count(sealing.MARK)) == (False, 2)
    assert second_factor.seal_all() == 0
    assert opens(alice, ask, post, codes[1])
    assert not opens(alice, ask, post, codes[0])


def test_a_new_key_takes_over_while_the_old_one_is_named(
    alice: User, ask: Ask, post: Post, settings: Settings
) -> None:
    old = settings.SECRET_KEY
    codes_of = f"{PAGES}codes/file/"
    client = signed_in(alice)
    set_up(client)
    codes = client.get(codes_of).text.split()

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new key", [old]
    assert opens(alice, ask, post, codes[0])
    assert second_factor.seal_all() == 2
    settings.SECRET_KEY_FALLBACKS = []

    assert opens(alice, ask, post, codes[1])
    settings.SECRET_KEY = old
    sealed = stored()
    assert second_factor.seal_all() == 0
    assert stored() == sealed
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FALLBACKS"):
        opens(alice, ask, post, codes[2])


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
