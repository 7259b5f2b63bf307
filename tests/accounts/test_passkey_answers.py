"""What a browser, or somebody in its place, may answer about passkeys."""

import json

import pytest
from django.test import Client

from oasst.accounts.models import User
from tests.sessions import signed_in

KEYS = "/account/second-factor/passkeys/"
KEY = {"id": "YQ", "rawId": "YQ", "type": "public-key"}
BYTES = {"clientDataJSON": "e30", "attestationObject": "YQ", "authenticatorData": "YQ",
         "signature": "YQ", "userHandle": "YQ"}  # fmt: skip
# Ten: then comes the limit on signing in.
ANSWERS = ["NaN", "[" * 10_000, '"x"', "{}", '{"id": "YQ", "rawId": "?"}',
           json.dumps(KEY), json.dumps({**KEY, "response": []}),
           json.dumps({**KEY, "response": {**BYTES, "clientDataJSON": 3}}),
           json.dumps({**KEY, "response": {**BYTES, "userHandle": "_w"}}),
           json.dumps({**KEY, "response": BYTES})]  # fmt: skip


def test_answers_that_are_none_add_nothing_and_sign_nobody_in(alice: User) -> None:
    client, visitor = signed_in(alice), Client()
    client.get(f"{KEYS}add/")
    visitor.get(f"{KEYS}sign-in/", headers={"Accept": "application/json"})

    added = [client.post(f"{KEYS}add/", {"credential": each}) for each in ANSWERS]
    entered = [visitor.post(f"{KEYS}sign-in/", {"credential": each}) for each in ANSWERS]

    assert {each.status_code for each in added} == {200}
    assert {each["Location"] for each in entered} == {"/accounts/login/"}
    assert not alice.authenticator_set.exists()
    assert visitor.get("/account/").status_code == 302


@pytest.mark.parametrize("answer", ["[]", "{", '{"id": ' * 10_000])
def test_more_answers_that_are_none_add_nothing(alice: User, answer: str) -> None:
    added = signed_in(alice).post(f"{KEYS}add/", {"name": "x", "credential": answer})

    assert added.status_code == 200
    assert not alice.authenticator_set.exists()
