"""`manage.py login_link`: a way in without mail, for demos and outages."""

from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from oasst.accounts import jobs, magic_link
from oasst.accounts.models import EmailCode, User
from tests.accounts.conftest import user_id

SITE = "http://localhost:8000"


def login_link(*args: str, **options: Any) -> str:
    out = StringIO()
    call_command("login_link", *args, stdout=out, **options)
    return out.getvalue().strip()


def test_link_signs_in_once(client: Client, alice: User) -> None:
    link = login_link("ALICE@example.org")

    assert link.startswith(f"{SITE}/accounts/login/link/")
    assert client.post(link.removeprefix(SITE)).status_code == 302
    assert user_id(client) == str(alice.pk)
    assert Client().post(link.removeprefix(SITE)).status_code == 410


def test_link_is_never_mailed(alice: User) -> None:
    login_link(alice.email)

    assert list(magic_link.waiting_to_be_sent(now=timezone.now())) == []
    jobs.send_code(str(EmailCode.objects.get().pk))
    assert mail.outbox == []


def test_unknown_address_makes_no_account(db: None) -> None:
    with pytest.raises(CommandError, match="--create"):
        login_link("nobody@example.org")

    assert User.objects.count() == 0
    assert EmailCode.objects.count() == 0


def test_create_makes_a_moderator(client: Client, db: None) -> None:
    link = login_link("mona@example.org", "--create", "--group", "moderators", "--name", "Mona")

    mona = User.objects.get()
    assert (mona.display_name, mona.is_moderator, mona.is_admin) == ("Mona", True, False)
    assert mona.is_staff
    client.post(link.removeprefix(SITE))
    assert user_id(client) == str(mona.pk)


def test_create_twice_is_fine_and_renames_nobody(alice: User) -> None:
    login_link(alice.email, "--create", "--name", "Other")

    assert User.objects.get().display_name == "Alice"


def test_banned_person_gets_no_link(trudy: User) -> None:
    with pytest.raises(CommandError, match="blocked"):
        login_link(trudy.email)


@pytest.mark.parametrize("args", [["nonsense"], ["a@example.org", "--minutes", "0"]])
def test_bad_arguments_are_explained(db: None, args: list[str]) -> None:
    with pytest.raises(CommandError):
        login_link(*args)


def test_validity_can_be_longer(client: Client, alice: User) -> None:
    login_link(alice.email, "--minutes", "120")

    asked = EmailCode.objects.get()
    assert asked.expires_at is not None
    assert round((asked.expires_at - timezone.now()).total_seconds() / 60) == 120
