"""Signing in by e-mail: link and code, in whatever browser, once, and never by a mere GET."""

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import EmailCode, User
from tests.accounts.conftest import LOGIN, Ask, Post, read_mail, user_id


def test_link_makes_an_account_and_signs_in(client: Client, ask: Ask) -> None:
    sent = ask(client)

    response = client.post(sent.link)

    user = User.objects.get()
    assert (response.status_code, response["Location"]) == (302, "/dashboard/")
    assert user_id(client) == str(user.pk)
    assert user.email == "alice@example.org"
    assert not user.has_usable_password()
    address = user.emailaddress_set.get()
    assert (address.email, address.verified, address.primary) == (user.email, True, True)


def test_link_signs_in_who_has_an_account(client: Client, ask: Ask, alice: User) -> None:
    client.post(ask(client, "ALICE@Example.ORG").link)

    assert user_id(client) == str(alice.pk)
    assert User.objects.count() == 1


def test_code_signs_in_the_browser_that_asked(client: Client, ask: Ask, alice: User) -> None:
    sent = ask(client)

    response = client.post("/accounts/login/code/", {"code": f" {sent.code[:3]} {sent.code[3:]} "})

    assert response.status_code == 302
    assert user_id(client) == str(alice.pk)


def test_code_does_nothing_in_another_browser(client: Client, ask: Ask, alice: User) -> None:
    sent, other = ask(client), Client()

    response = other.post("/accounts/login/code/", {"code": sent.code})

    assert response["Location"] == LOGIN
    assert user_id(other) is None
    assert EmailCode.objects.get().used_at is None


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_link_fetched_by_a_scanner_still_works(
    client: Client, ask: Ask, alice: User, method: str
) -> None:
    sent, scanner = ask(client), Client()

    for _ in range(3):
        getattr(scanner, method)(sent.link)

    assert user_id(scanner) is None
    assert "csrfmiddlewaretoken" in client.get(sent.link).content.decode()
    assert client.post(sent.link).status_code == 302
    assert user_id(client) == str(alice.pk)


def test_link_needs_the_forms_token(ask: Ask, alice: User) -> None:
    sent = ask(Client())
    strict = Client(enforce_csrf_checks=True)

    assert strict.post(sent.link).status_code == 403
    assert EmailCode.objects.get().used_at is None


def test_link_works_in_another_browser_and_keeps_next(client: Client, ask: Ask) -> None:
    sent, phone = ask(client, next_url="/tasks/?lang=de"), Client()

    response = phone.post(sent.link)

    assert response["Location"] == "/tasks/?lang=de"
    assert user_id(phone)
    assert user_id(client) is None


def test_link_works_once(client: Client, ask: Ask) -> None:
    sent, thief = ask(client), Client()
    client.post(sent.link)

    response = thief.post(sent.link)

    assert response.status_code == 410
    assert "used before" in response.content.decode()
    assert user_id(thief) is None
    assert thief.get(sent.link).status_code == 410


def test_code_is_useless_after_the_link_was_used(client: Client, ask: Ask) -> None:
    sent = ask(client)
    Client().post(sent.link)

    response = client.post("/accounts/login/code/", {"code": sent.code})

    assert response.status_code == 410
    assert user_id(client) is None


def test_using_one_mail_makes_the_others_useless(client: Client, ask: Ask) -> None:
    first, second = ask(client), ask(Client())
    client.post(second.link)

    assert Client().post(first.link).status_code == 410


def test_expired_link_says_so(client: Client, ask: Ask) -> None:
    sent = ask(client)
    EmailCode.objects.update(expires_at=timezone.now())

    response = client.post(sent.link)

    assert response.status_code == 410
    assert "too old" in response.content.decode()
    assert User.objects.count() == 0
    assert client.post("/accounts/login/code/", {"code": sent.code}).status_code == 410


@pytest.mark.parametrize("token", ["x", "a" * 5000, "%00", "é", "..%2F..%2Fetc"])
def test_made_up_link_is_not_found(client: Client, db: None, token: str) -> None:
    path = f"/accounts/login/link/{token}/"

    assert client.get(path).status_code == 404
    assert client.post(path).status_code == 404


def test_other_person_signed_in_is_told_and_signed_out(
    client: Client, ask: Ask, alice: User, bob: User
) -> None:
    sent = ask(Client())
    client.force_login(bob)
    before = client.session.session_key

    page = client.get(sent.link).content.decode()
    client.post(sent.link)

    assert "Bob" in page
    assert bob.email in page
    assert user_id(client) == str(alice.pk)
    assert not client.session.exists(before)


def test_session_key_changes_on_signing_in(client: Client, ask: Ask) -> None:
    sent = ask(client)
    fixed = client.session.session_key

    client.post(sent.link)

    assert fixed
    assert client.session.session_key != fixed
    assert not client.session.exists(fixed)


def test_secrets_are_not_in_the_database(client: Client, ask: Ask) -> None:
    sent = ask(client)

    row = str(EmailCode.objects.values().get())

    token = sent.link.rstrip("/").rpartition("/")[2]
    assert token not in row
    assert sent.code not in row


def test_banned_person_is_told_and_not_signed_in(client: Client, ask: Ask, trudy: User) -> None:
    sent = ask(client, trudy.email)

    response = client.post(sent.link, follow=True)

    assert response.redirect_chain == [("/accounts/inactive/", 302)]
    assert response.status_code == 403
    assert "blocked" in response.content.decode()
    assert user_id(client) is None


def test_ban_ends_sessions(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get("/account/").status_code == 200

    User.objects.update(is_active=False)

    assert client.get("/account/")["Location"].startswith(LOGIN)


def test_answer_is_the_same_for_known_unknown_and_banned(
    post: Post, alice: User, trudy: User
) -> None:
    pages = set()
    for email in (alice.email, trudy.email, "nobody@example.org"):
        browser = Client()
        response = post(browser, LOGIN, {"email": email})
        page = browser.get("/accounts/login/sent/").content.decode()
        token = browser.cookies["csrftoken"].value if "csrftoken" in browser.cookies else ""
        pages.add((response.status_code, response["Location"], _neutral(page, email, token)))

    assert len(pages) == 1
    assert len(mail.outbox) == 3
    assert len({_neutral(str(m.body), m.to[0], "") for m in mail.outbox}) == 1


def _neutral(text: str, email: str, token: str) -> str:
    """`text` without what differs from one mail to the next for everybody."""
    import re

    text = re.sub(r'value="[^"]{64}"|X-CSRFToken": "[^"]+"', "", text.replace(email, "EMAIL"))
    return re.sub(r"/link/\S+|\b\d{6}\b|data-countdown=\S+ seconds", "", text)


def test_sent_page_says_all_one_needs(client: Client, ask: Ask) -> None:
    ask(client)

    page = client.get("/accounts/login/sent/").content.decode()

    assert "alice@example.org" in page
    assert "noreply@localhost" in page
    assert settings.DEFAULT_FROM_EMAIL.split("<")[0].strip() in page
    for words in ("15 minutes", "spam folder", "Send another mail", "Use another address"):
        assert words in page
    assert read_mail().code not in page


def test_sent_page_without_a_request_leads_to_sign_in(client: Client, db: None) -> None:
    assert client.get("/accounts/login/sent/")["Location"] == LOGIN
    assert client.post("/accounts/login/resend/")["Location"] == LOGIN


def test_second_mail_waits_thirty_seconds(client: Client, ask: Ask, post: Post) -> None:
    ask(client)

    post(client, "/accounts/login/resend/")
    assert len(mail.outbox) == 1

    EmailCode.objects.update(created_at=timezone.now() - timezone.timedelta(seconds=31))
    post(client, "/accounts/login/resend/")
    assert len(mail.outbox) == 2


def test_code_of_an_earlier_mail_works_too(client: Client, ask: Ask) -> None:
    first = ask(client)
    ask(client)

    client.post("/accounts/login/code/", {"code": first.code})

    assert user_id(client)


@pytest.mark.parametrize("email", ["", "alice", "a@b@c", "alice@exa mple.org", "al\0ice@x.org"])
def test_bad_address_is_explained_and_nothing_is_sent(
    client: Client, post: Post, db: None, email: str
) -> None:
    response = post(client, LOGIN, {"email": email})

    assert response.status_code == 200
    assert "field-errors" in response.content.decode()
    assert mail.outbox == []


def test_letters_that_lower_to_others_are_refused(client: Client, post: Post, db: None) -> None:
    # The Kelvin sign lowers to k: somebody else's mailbox.
    response = post(client, LOGIN, {"email": "mi\u212ae@example.org"})

    assert "plain letters" in response.content.decode()
    assert mail.outbox == []


def test_signed_in_person_is_sent_on(client: Client, alice: User) -> None:
    client.force_login(alice)

    assert client.get(f"{LOGIN}?next=/tasks/")["Location"] == "/tasks/"


def test_signing_out_needs_a_post(client: Client, alice: User) -> None:
    client.force_login(alice)

    assert client.get("/accounts/logout/").status_code == 200
    assert user_id(client)
    assert client.post("/accounts/logout/")["Location"] == "/"
    assert user_id(client) is None
