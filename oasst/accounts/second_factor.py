"""Who has to show a second factor, and whether this session has. allauth.mfa keeps the factors."""

from __future__ import annotations

import logging
import time
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.http import HttpRequest

from oasst.accounts.models import User
from oasst.lib import sealing

logger = logging.getLogger(__name__)

# Staff shows it again after a working day: the site's sessions last a month.
VALID_S = 8 * 3600
# Where allauth keeps them.
_SECRETS, _CODES = {"secret", "seed"}, "migrated_codes"
_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def is_required(user: User) -> bool:
    """Staff needs one wherever `settings.STAFF_MFA_REQUIRED`, that is in production."""
    return settings.STAFF_MFA_REQUIRED and user.is_staff


def has_one(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type__in=_FACTORS).exists()


def was_shown(request: HttpRequest, user: User) -> bool:
    """Whether this session showed it, in the last `VALID_S` seconds."""
    shown = [r["at"] for r in get_authentication_records(request, user) if r["method"] == "mfa"]
    return bool(shown) and time.time() - shown[-1] < VALID_S


def note_set_up(request: HttpRequest, user: User, kind: str) -> None:
    """Whoever has just set a factor up has shown it by that."""
    record_authentication(request, user, "mfa", type=kind, reauthenticated=True)


def seal_all() -> int:
    """Seal what authenticator apps and recovery codes rest on with today's key, where it is not;
    returns of how many factors."""
    rows = Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN)
    sealed = 0
    for pk in list(rows.order_by("pk").values_list("pk", flat=True)):
        try:
            sealed += _seal(pk)
        except ImproperlyConfigured as error:  # the others are to be sealed all the same
            logger.error("second factor %s: %s", pk, error)
    return sealed


@transaction.atomic
def _seal(pk: int) -> bool:
    # A recovery code that is used meanwhile is noted in the same column.
    row = Authenticator.objects.select_for_update().filter(pk=pk).first()
    if row is None or all(map(sealing.is_current, _secrets(row.data))):
        return False
    for name in _SECRETS & row.data.keys():
        row.data[name] = sealing.seal(row.data[name])
    if _CODES in row.data:
        row.data[_CODES] = [sealing.seal(code) for code in row.data[_CODES]]
    row.save(update_fields=["data"])
    return True


def _secrets(data: dict[str, Any]) -> list[str]:
    return [data[name] for name in _SECRETS & data.keys()] + data.get(_CODES, [])


def remove_all(user: User) -> int:
    """For somebody who lost theirs; returns how many were removed."""
    removed = Authenticator.objects.filter(user=user).delete()[0]
    logger.info("account %s lost its %s second factors", user.pk, removed)
    return removed
