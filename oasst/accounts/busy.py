"""A check against floods, asked for only while more people than usual want to sign in.

The browser proves some work (ALTCHA, checked here, by no other site); who has no scripts waits half
a minute instead. Each proof and each wait is good for one mail.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import altcha
from django.core import signing
from django.utils.crypto import salted_hmac

from oasst.accounts import limits

# A phone tries about 50 000 numbers a second; on average half of them are needed.
HARDNESS = 100_000
VALID = timedelta(minutes=10)
WAIT = timedelta(seconds=30)
MOST_CHARACTERS = 2000
_SALT = "oasst.accounts.busy"


def challenge(*, now: datetime) -> dict[str, Any]:
    """What the browser has to solve: the fields of an ALTCHA challenge."""
    options = altcha.ChallengeOptionsV1(
        hmac_key=_secret(), max_number=HARDNESS, expires=now + VALID
    )
    made = altcha.create_challenge_v1(options)
    return {
        "algorithm": made.algorithm,
        "challenge": made.challenge,
        "maxnumber": made.max_number,
        "salt": made.salt,
        "signature": made.signature,
    }


def ticket(email: str, earlier: str = "") -> str:
    """Proves when the wait for a mail to `email` began; `earlier` again while it is good."""
    return earlier if _age(email, earlier) is not None else _signer().sign(email)


def is_passed(answers: Mapping[str, str], email: str, *, now: datetime) -> bool:
    """Whether work was proven or the wait is over; uses the proof up."""
    proof = answers.get("altcha", "")
    if proof and _is_solved(proof):
        return limits.take_once(json.loads(base64.b64decode(proof))["challenge"], now=now)
    waited = answers.get("ticket", "")
    age = _age(email, waited)
    return age is not None and age >= WAIT and limits.take_once(waited, now=now)


def _is_solved(proof: str) -> bool:
    if len(proof) > MOST_CHARACTERS:
        return False
    try:
        return altcha.verify_solution_v1(proof, _secret())[0]
    except (ValueError, TypeError, LookupError, AttributeError, binascii.Error):
        return False


def _age(email: str, given: str) -> timedelta | None:
    """How long ago the wait began; None for what we never gave out for `email`, or long ago."""
    try:
        if _signer().unsign(given, max_age=VALID) != email:
            return None
        begun = signing.b62_decode(given.split(":")[-2])
    except (signing.BadSignature, ValueError, IndexError):
        return None
    return timedelta(seconds=time.time() - begun)


def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=_SALT)


def _secret() -> str:
    return salted_hmac(_SALT, "altcha", algorithm="sha256").hexdigest()
