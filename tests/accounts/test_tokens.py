"""API tokens: made, shown once, used, revoked; by their owner and by an operator."""

import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from oasst.accounts import people, tokens
from oasst.accounts.enums import Scope
from oasst.accounts.models import ApiToken, User
from tests.factories import NOW

PAGE = "/account/tokens/"
WANTED = {"name": "My script", "scopes": ["chats:read", "completions"], "days": "90"}


def shown_key(page: str) -> str:
    return re.search(r"oasst_[\w-]{43}", page)[0]


def test_key_opens_the_account_and_only_its_hash_is_kept(alice: User) -> None:
    token, key = tokens.create(alice, "My script", [Scope.COMPLETIONS], now=NOW)

    found = tokens.authenticate(key, now=NOW)

    assert (found.pk, found.user, found.scopes) == (token.pk, alice, ["completions"])
    assert len(key) == len(tokens.PREFIX) + 43
    kept = [str(value) for value in ApiToken.objects.values_list().get()]
    assert not any(key in value for value in kept)


@pytest.mark.parametrize("wrong", ["", "oasst_", "x\x00", "\ud800", "é" * 50])
def test_wrong_key_opens_nothing(alice: User, wrong: str) -> None:
    _token, key = tokens.create(alice, "My script", [Scope.COMPLETIONS], now=NOW)

    for attempt in (wrong, key + wrong + "x", key[:-1]):
        with pytest.raises(tokens.TokenInvalid):
            tokens.authenticate(attempt, now=NOW)


def test_expired_token_opens_nothing(alice: User) -> None:
    end = NOW + timedelta(days=1)
    _token, key = tokens.create(alice, "Short", [Scope.COMPLETIONS], now=NOW, expires_at=end)

    assert tokens.authenticate(key, now=end - timedelta(seconds=1)).user == alice
    with pytest.raises(tokens.TokenInvalid):
        tokens.authenticate(key, now=end)


def test_token_of_a_banned_person_opens_nothing(trudy: User) -> None:
    _token, key = tokens.create(trudy, "My script", [Scope.COMPLETIONS], now=NOW)

    with pytest.raises(tokens.TokenInvalid):
        tokens.authenticate(key, now=NOW)


def test_use_is_noted_once_a_minute(alice: User) -> None:
    token, key = tokens.create(alice, "My script", [Scope.COMPLETIONS], now=NOW)

    seen = []
    for seconds in (0, 30, 60):
        tokens.authenticate(key, now=NOW + timedelta(seconds=seconds))
        token.refresh_from_db()
        seen.append((token.last_used_at - NOW).total_seconds())

    assert seen == [0, 0, 60]


def test_deleted_account_has_no_tokens(alice: User, bob: User) -> None:
    for user in (alice, bob):
        tokens.create(user, "My script", [Scope.COMPLETIONS], now=NOW)

    people.anonymise(alice, now=NOW)

    assert [token.user for token in ApiToken.objects.all()] == [bob]


def test_page_shows_a_new_key_once(client: Client, alice: User) -> None:
    client.force_login(alice)

    response = client.post(PAGE, WANTED)

    key = shown_key(response.content.decode())
    assert response.content.decode().count(key) == 1
    assert response.status_code == 201
    assert "no-store" in response["Cache-Control"]
    assert tokens.authenticate(key, now=timezone.now()).scopes == ["chats:read", "completions"]
    for path in (PAGE, "/account/"):
        later = client.get(path).content.decode()
        assert "My script" in later
        assert key not in later


@pytest.mark.parametrize(
    "change",
    [{"name": " "}, {"name": "x" * 61}, {"scopes": []}, {"scopes": ["all"]}, {"days": "7"}],
)
def test_bad_wish_makes_no_token(client: Client, alice: User, change: dict[str, Any]) -> None:
    client.force_login(alice)

    response = client.post(PAGE, WANTED | change)

    assert response.status_code == 400
    assert "field-errors" in response.content.decode()
    assert ApiToken.objects.count() == 0


@pytest.mark.parametrize(("days", "expected"), [("30", 30), ("0", None)])
def test_token_ends_when_it_was_asked_to(
    client: Client, alice: User, days: str, expected: int | None
) -> None:
    client.force_login(alice)

    with time_machine.travel(NOW, tick=False):
        client.post(PAGE, WANTED | {"days": days})

    end = ApiToken.objects.get().expires_at
    assert end == (NOW + timedelta(days=expected) if expected else None)


def test_too_many_tokens_are_refused_with_what_to_do(client: Client, alice: User) -> None:
    client.force_login(alice)
    for _ in range(tokens.MOST_TOKENS):
        tokens.create(alice, "One of many", [Scope.READ_CHATS], now=NOW)

    response = client.post(PAGE, WANTED)

    assert response.status_code == 409
    assert "Revoke one" in response.content.decode()
    assert ApiToken.objects.count() == tokens.MOST_TOKENS


def test_revoked_token_opens_nothing(client: Client, alice: User) -> None:
    client.force_login(alice)
    token, key = tokens.create(alice, "My script", [Scope.COMPLETIONS], now=NOW)

    first, again = (client.post(f"{PAGE}{token.pk}/revoke/") for _ in range(2))

    assert first["Location"] == again["Location"] == PAGE
    with pytest.raises(tokens.TokenInvalid):
        tokens.authenticate(key, now=NOW)


def test_nobody_revokes_or_sees_the_token_of_another(
    client: Client, alice: User, bob: User
) -> None:
    token, _key = tokens.create(alice, "Of Alice", [Scope.COMPLETIONS], now=NOW)
    client.force_login(bob)

    client.post(f"{PAGE}{token.pk}/revoke/")

    assert ApiToken.objects.filter(pk=token.pk).exists()
    assert "Of Alice" not in client.get(PAGE).content.decode()


def create_token(*args: str, **options: Any) -> str:
    out = StringIO()
    call_command("create_token", *args, stdout=out, **options)
    return out.getvalue().strip()


def test_operator_makes_a_token(alice: User) -> None:
    key = create_token("ALICE@example.org", "--scope", "completions", "chats:read", "--days", "1")

    token = tokens.authenticate(key, now=timezone.now())
    assert (token.user, token.scopes) == (alice, ["chats:read", "completions"])
    assert token.expires_at - token.created_at == timedelta(days=1)


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["nobody@example.org", "--scope", "completions"], "no such account"),
        (["trudy@example.org", "--scope", "completions"], "blocked"),
        (["alice@example.org", "--scope", "everything"], "invalid choice"),
        (["alice@example.org", "--scope", "completions", "--days", "0"], "--days"),
        (["alice@example.org", "--scope", "completions", "--name", ""], "--name"),
        (["alice@example.org"], "--scope"),
    ],
)
def test_operator_is_told_what_is_wrong(
    alice: User, trudy: User, args: list[str], reason: str
) -> None:
    with pytest.raises(CommandError, match=reason):
        create_token(*args)

    assert ApiToken.objects.count() == 0
