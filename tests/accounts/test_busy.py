"""While very many people sign in, browsers prove some work, and people without scripts wait."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import altcha
import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from oasst.accounts import limits
from oasst.accounts.models import EmailCode

LOGIN = "/accounts/login/"
ASKED = {"email": "new@example.org"}


@pytest.fixture
def hot(db: None, settings: Settings) -> None:
    settings.SIGN_INS_PER_HOUR = 1
    assert not limits.is_busy(now=timezone.now())


def page(client: Client, **fields: str) -> Any:
    """What the check asks for."""
    response = client.post(LOGIN, ASKED | fields)
    assert response.status_code == 200
    return response.context


def solved(challenge: dict[str, Any]) -> str:
    solution = altcha.solve_challenge_v1(challenge["challenge"], challenge["salt"])
    assert solution is not None
    fields = {name: challenge[name] for name in ("algorithm", "challenge", "salt", "signature")}
    return base64.b64encode(json.dumps(fields | {"number": solution.number}).encode()).decode()


def test_nothing_is_asked_for_on_a_calm_day(client: Client, db: None) -> None:
    assert client.post(LOGIN, ASKED)["Location"] == "/accounts/login/sent/"


def test_work_that_is_proven_sends_one_mail(client: Client, hot: None) -> None:
    proof = solved(page(client)["challenge"])
    assert not EmailCode.objects.exists()

    assert client.post(LOGIN, ASKED | {"altcha": proof})["Location"] == "/accounts/login/sent/"
    assert "challenge" in page(Client(), altcha=proof)
    assert EmailCode.objects.count() == 1


def test_work_for_another_site_or_none_sends_none(client: Client, hot: None) -> None:
    made = altcha.create_challenge_v1(altcha.ChallengeOptionsV1(hmac_key="theirs", max_number=10))
    theirs = {"algorithm": made.algorithm, "challenge": made.challenge, "salt": made.salt,
              "signature": made.signature}  # fmt: skip
    for proof in (solved(theirs), "x", "e30=", "é", base64.b64encode(b"[1]").decode()):
        assert "challenge" in page(client, altcha=proof)
    assert not EmailCode.objects.exists()


def test_patience_replaces_scripts(client: Client, hot: None) -> None:
    ticket = page(client)["ticket"]
    assert page(client, ticket=ticket)["ticket"] == ticket  # too soon, but the wait goes on

    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=31)):
        assert "ticket" in page(client, ticket=ticket, email="other@example.org")
        assert client.post(LOGIN, ASKED | {"ticket": ticket}).status_code == 302
        assert "ticket" in page(client, ticket=ticket)
    assert EmailCode.objects.count() == 1
