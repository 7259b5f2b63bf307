"""API tokens: made once and shown once, kept as hashes, looked up by programs' requests."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from oasst.accounts.enums import Scope
from oasst.accounts.models import ApiToken, User
from oasst.lib.errors import DomainError

logger = logging.getLogger(__name__)

# Says what it is, so that scanners find one that was published by mistake.
PREFIX = "oasst_"
HINT_LENGTH = 12
MOST_TOKENS = 20
# Writing down every use would be a write a request.
NOTE_USE_EVERY = timedelta(minutes=1)


class TooManyTokens(DomainError):
    code, status = "too_many_tokens", 409
    default_message = _("You have many tokens already. Revoke one that you do not need any more.")


class TokenInvalid(DomainError):
    """No such token, or it may not be used any more; which of it, a thief need not know."""

    code, status = "token_invalid", 401
    default_message = _(
        "This API token is not valid: unknown, expired or revoked. Make another one on your "
        "account page."
    )


@transaction.atomic
def create(
    user: User,
    name: str,
    scopes: Iterable[Scope],
    *,
    now: datetime,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token. Returns its row and the key itself, which nobody can read again.

    Raises TooManyTokens.
    """
    User.objects.select_for_update().get(pk=user.pk)  # two at once must not pass the limit
    if user.api_tokens.count() >= MOST_TOKENS:
        raise TooManyTokens
    key = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        hint=key[:HINT_LENGTH],
        token_hash=_hash(key),
        scopes=sorted(set(scopes)),
        created_at=now,
        expires_at=expires_at,
    )
    logger.info("account %s made token %s", user.pk, token.pk)
    return token, key


def authenticate(key: str, *, now: datetime) -> ApiToken:
    """Find the token of `key`, with its person, and note that it was used.

    Raises TokenInvalid if it is unknown or expired, or the person is blocked.
    """
    token = ApiToken.objects.select_related("user").filter(token_hash=_hash(key)).first()
    if token is None or token.has_expired(now) or not token.user.is_active:
        raise TokenInvalid
    if token.last_used_at is None or token.last_used_at <= now - NOTE_USE_EVERY:
        token.last_used_at = now
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def of(user: User) -> QuerySet[ApiToken]:
    return user.api_tokens.all()


def revoke(user: User, token_id: UUID) -> bool:
    """End one token of `user` at once; False if there was none."""
    count, _rows = ApiToken.objects.filter(user=user, pk=token_id).delete()
    if count:
        logger.info("account %s revoked token %s", user.pk, token_id)
    return bool(count)


def _hash(key: str) -> str:
    # 256 random bits: a plain hash cannot be searched backwards.
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
