"""Who has to show a second factor, and whether this session has. allauth.mfa keeps the factors."""

from __future__ import annotations

import logging
import time

from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest

from oasst.accounts.models import User

logger = logging.getLogger(__name__)

# Staff shows it again after a working day: the site's sessions last a month.
VALID_S = 8 * 3600
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


def remove_all(user: User) -> int:
    """For somebody who lost theirs; returns how many were removed."""
    removed = Authenticator.objects.filter(user=user).delete()[0]
    logger.info("account %s lost its %s second factors", user.pk, removed)
    return removed
