"""Limits on sign-in: mails per address, requests and tries per network, wrong codes per mail."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from oasst.accounts import jobs, limits
from oasst.accounts.models import EmailCode, RateBucket
from tests.accounts.conftest import LOGIN, Ask, Post, user_id

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
CODE = "/accounts/login/code/"


@pytest.mark.parametrize(
    "email",
    [
        "alice@example.org",
        "ALICE+tag@example.org",
        "a.l.i.c.e@example.org",
        "alice+a+b@Example.org",
    ],
)
def test_fold_finds_the_mailbox_behind_an_address(email: str) -> None:
    assert limits.fold(email) == "alice@example.org"


def test_take_mail_allows_ten_an_hour_and_refills(db: None) -> None:
    for number in range(10):
        limits.take_mail(f"alice+{number}@example.org", now=NOW)

    with pytest.raises(limits.TooMany) as refused:
        limits.take_mail("a.lice@example.org", now=NOW)

    assert refused.value.retry_after_s == 360
    assert "Try again in 6 minutes" in refused.value.message
    limits.take_mail("bob@example.org", now=NOW)
    limits.take_mail("alice@example.org", now=NOW + timedelta(seconds=360))
    with pytest.raises(limits.TooMany):
        limits.take_mail("alice@example.org", now=NOW + timedelta(seconds=361))


def test_clock_set_back_gives_nothing_away(db: None) -> None:
    for _ in range(10):
        limits.take_mail("alice@example.org", now=NOW)

    with pytest.raises(limits.TooMany):
        limits.take_mail("alice@example.org", now=NOW - timedelta(days=1))
    with pytest.raises(limits.TooMany):
        limits.take_mail("alice@example.org", now=NOW)


def test_addresses_are_kept_as_hashes_only(db: None) -> None:
    limits.take_mail("alice@example.org", now=NOW)
    limits.take_request("192.0.2.1", now=NOW)

    rows = str(list(RateBucket.objects.values()))

    assert RateBucket.objects.count() == 2
    assert "alice" not in rows
    assert "192.0.2.1" not in rows


def test_mail_bomb_sends_ten_mails(post: Post, db: None) -> None:
    answers = [
        post(Client(), LOGIN, {"email": f"v.ictim+{n}@example.org"}, REMOTE_ADDR=f"192.0.2.{n}")
        for n in range(13)
    ]

    assert len(mail.outbox) == 10
    assert [a.status_code for a in answers] == [302] * 10 + [429] * 3
    assert int(answers[-1]["Retry-After"]) > 0
    assert "Try again in" in answers[-1].content.decode()


def test_one_network_may_ask_for_twenty_mails(post: Post, db: None) -> None:
    answers = [post(Client(), LOGIN, {"email": f"p{n}@example.org"}) for n in range(22)]

    assert [a.status_code for a in answers].count(302) == 20
    assert len(mail.outbox) == 20
    other = post(Client(), LOGIN, {"email": "q@example.org"}, REMOTE_ADDR="192.0.2.7")
    assert other.status_code == 302


def test_forged_forwarded_header_does_not_help(post: Post, db: None) -> None:
    for n in range(22):
        forged = {"HTTP_X_FORWARDED_FOR": f"192.0.2.{n}", "HTTP_X_REAL_IP": f"192.0.2.{n}"}
        post(Client(), LOGIN, {"email": f"p{n}@example.org"}, **forged)

    assert len(mail.outbox) == 20


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "192.0.2.1", "127.0.0.1"),
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "6.6.6.6, 192.0.2.1", "192.0.2.1"),
        (2, "6.6.6.6, 192.0.2.1, 10.0.0.1", "192.0.2.1"),
        (2, "192.0.2.1", "127.0.0.1"),
        (1, "nonsense", "unknown"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002"),
    ],
)
def test_client_ip_believes_only_our_own_proxies(
    settings: Settings, proxies: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies

    request = RequestFactory().get("/", HTTP_X_FORWARDED_FOR=forwarded)

    assert limits.client_ip(request) == address


def test_five_wrong_codes_lock_the_code_but_not_the_link(client: Client, ask: Ask) -> None:
    sent = ask(client)
    wrong = "000000" if sent.code != "000000" else "111111"

    answers = [client.post(CODE, {"code": wrong}).status_code for _ in range(5)]
    right = client.post(CODE, {"code": sent.code})

    assert answers == [400, 400, 400, 400, 429]
    assert right.status_code == 429
    assert user_id(client) is None
    assert "too many wrong codes" in right.content.decode()
    client.post(sent.link)
    assert user_id(client)


def test_guessing_from_one_network_stops_after_twenty_tries(post: Post, ask: Ask) -> None:
    tried = []
    for n in range(6):
        browser = Client()
        sent = ask(browser, f"victim{n}@example.org")
        wrong = "000000" if sent.code != "000000" else "111111"
        tried += [browser.post(CODE, {"code": wrong}) for _ in range(4)]

    assert [t.status_code for t in tried] == [400] * 20 + [429] * 4
    assert "from your network" in tried[-1].content.decode()


def test_successful_sign_ins_do_not_use_up_the_networks_tries(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TRIES_PER_IP_AND_HOUR", 4)
    statuses = []
    for n in range(8):
        RateBucket.objects.filter(tokens__lt=10).update(tokens=20)  # mails are limited elsewhere
        browser = Client()
        statuses.append(browser.post(ask(browser, f"pupil{n}@example.org").link).status_code)

    assert set(statuses) == {302}


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥", "1\x0023456", "9" * 99]
)
def test_malformed_code_is_explained_and_not_counted(client: Client, ask: Ask, code: str) -> None:
    ask(client)

    response = client.post(CODE, {"code": code})

    assert response.status_code == 200
    assert "field-errors" in response.content.decode()
    assert EmailCode.objects.get().wrong_codes == 0


def test_code_in_other_digits_is_understood(client: Client, ask: Ask) -> None:
    sent = ask(client)
    arabic = sent.code.translate({ord("0") + n: 0x660 + n for n in range(10)})

    client.post(CODE, {"code": arabic})

    assert user_id(client)


def test_delete_expired_codes_keeps_the_young(db: None, ask: Ask, client: Client) -> None:
    ask(client, "old@example.org")
    EmailCode.objects.update(created_at=timezone.now() - timedelta(hours=25))
    RateBucket.objects.update(updated_at=timezone.now() - timedelta(hours=2))
    ask(client, "young@example.org")

    jobs.delete_expired_codes()

    assert [row.email for row in EmailCode.objects.all()] == ["young@example.org"]
    assert RateBucket.objects.count() == 3  # the site's, the network's and the young address's


def test_two_takes_at_once_count_twice(transactional_db: None) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def take(_: Any) -> bool:
        from django.db import connection

        try:
            limits.take_mail("alice@example.org", now=NOW)
        except limits.TooMany:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        allowed = list(pool.map(take, range(24)))

    assert allowed.count(True) == 10
