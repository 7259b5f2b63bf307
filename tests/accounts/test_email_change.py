"""Changing the e-mail address: confirmed at the new one, told to the old one."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import EmailCode, User
from tests.accounts.conftest import Ask, Post, SentMail, read_mail, user_id
from tests.elsewhere import connected
from tests.waiting import on_a_connection_of_its_own, wait_until, waiting_requests

PAGE = "/account/email/"
NEW = "new@example.org"


@pytest.fixture
def asked(client: Client, post: Post, alice: User) -> SentMail:
    """Alice has asked for a new address and got a mail there."""
    client.force_login(alice)
    response = post(client, PAGE, {"email": "New@Example.org"})
    assert response["Location"] == PAGE
    return read_mail()


def test_nothing_changes_before_confirming(client: Client, asked: SentMail, alice: User) -> None:
    page = client.get(PAGE).content.decode()

    alice.refresh_from_db()
    assert asked.to == NEW
    assert alice.email == "alice@example.org"
    assert f"Confirm {NEW}" in page
    assert asked.code not in page


def test_code_changes_the_address_and_tells_the_old_one(
    client: Client, post: Post, asked: SentMail, alice: User
) -> None:
    response = post(client, "/account/email/code/", {"code": asked.code})

    alice.refresh_from_db()
    address = alice.emailaddress_set.get()
    assert response["Location"] == "/account/"
    assert alice.email == NEW
    assert (address.email, address.verified, address.primary) == (NEW, True, True)
    assert user_id(client) == str(alice.pk)
    notice = mail.outbox[-1]
    assert notice.to == ["alice@example.org"]
    assert "changed" in notice.subject
    assert NEW not in str(notice.body)


def test_link_works_in_a_browser_that_is_not_signed_in(asked: SentMail, alice: User) -> None:
    other = Client()

    page = other.get(asked.link).content.decode()
    response = other.post(asked.link)

    alice.refresh_from_db()
    assert NEW in page
    assert response["Location"] == "/accounts/login/"
    assert alice.email == NEW
    assert user_id(other) is None
    assert other.post(asked.link).status_code == 410


def test_fetching_the_link_changes_nothing(asked: SentMail, alice: User) -> None:
    for method in ("get", "head"):
        assert getattr(Client(), method)(asked.link).status_code == 200

    alice.refresh_from_db()
    assert alice.email == "alice@example.org"


def test_sign_in_link_does_not_change_addresses_nor_the_other_way_round(
    asked: SentMail, ask: Ask, alice: User
) -> None:
    sign_in = ask(Client())
    crossed = sign_in.link.replace("/accounts/login/link/", "/account/email/link/")
    back = asked.link.replace("/account/email/link/", "/accounts/login/link/")

    assert Client().post(crossed).status_code == 404
    assert Client().post(back).status_code == 404
    alice.refresh_from_db()
    assert alice.email == "alice@example.org"


def test_taken_address_gets_the_same_page_but_another_mail(
    client: Client, post: Post, alice: User, bob: User
) -> None:
    client.force_login(alice)

    response = post(client, PAGE, {"email": bob.email})

    assert response["Location"] == PAGE
    assert f"Confirm {bob.email}" in client.get(PAGE).content.decode()
    assert mail.outbox[-1].to == [bob.email]
    assert read_mail().link == ""
    assert read_mail().code == ""


def test_address_taken_meanwhile_is_refused(client: Client, asked: SentMail, alice: User) -> None:
    User.objects.create_user(NEW)

    response = client.post("/account/email/code/", {"code": asked.code}, follow=True)

    alice.refresh_from_db()
    assert "Another account uses this address" in response.content.decode()
    assert alice.email == "alice@example.org"


def test_old_addresss_open_sign_in_mail_becomes_useless(
    client: Client, ask: Ask, asked: SentMail, alice: User
) -> None:
    old = ask(Client(), alice.email)

    Client().post(asked.link)

    assert Client().post(old.link).status_code == 410
    assert User.objects.count() == 1


def test_banned_person_cannot_confirm(asked: SentMail, alice: User) -> None:
    User.objects.update(is_active=False)

    response = Client().post(asked.link)

    alice.refresh_from_db()
    assert response.status_code == 410
    assert alice.email == "alice@example.org"


def test_expired_confirmation_is_refused(client: Client, asked: SentMail, alice: User) -> None:
    EmailCode.objects.update(expires_at=timezone.now())

    assert client.post("/account/email/code/", {"code": asked.code}).status_code == 410
    assert client.post(asked.link).status_code == 410
    alice.refresh_from_db()
    assert alice.email == "alice@example.org"


@pytest.mark.parametrize("email", ["", "nonsense", "ALICE@example.org"])
def test_bad_new_address_is_explained(client: Client, post: Post, alice: User, email: str) -> None:
    client.force_login(alice)

    response = post(client, PAGE, {"email": email})

    assert "field-errors" in response.content.decode()
    assert mail.outbox == []


def test_another_person_in_the_same_browser_does_not_see_the_request(
    client: Client, asked: SentMail, bob: User
) -> None:
    client.force_login(bob)

    assert NEW not in client.get(PAGE).content.decode()


@pytest.mark.django_db(transaction=True)
def test_address_that_another_account_takes_at_the_same_moment_is_refused(
    asked: SentMail, bob: User
) -> None:
    redeem = partial(on_a_connection_of_its_own, partial(Client().post, asked.link))
    with ThreadPoolExecutor(1) as other:
        with connected() as there:  # which commits at its end
            # Not seen yet, and in the way.
            there.execute("UPDATE accounts_user SET email = %s WHERE id = %s", [NEW, bob.pk])
            answer = other.submit(redeem)
            wait_until(waiting_requests)

        assert answer.result().status_code == 409
    assert not User.objects.filter(email=NEW).exclude(pk=bob.pk).exists()
