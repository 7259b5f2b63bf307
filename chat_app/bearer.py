"""Who calls the API: the person behind a bearer token, if it may do what is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from chat_app import access
from oasst.accounts import tokens
from oasst.lib import ratelimit
from oasst.lib.errors import DomainError, TooMuch

if TYPE_CHECKING:
    from oasst.accounts.enums import Scope
    from oasst.accounts.models import User

REQUESTS_PER_MINUTE = 240


class TokenMissing(DomainError):
    code, status = "token_missing", 401
    default_message = _l(
        "This needs an API token: send the header 'Authorization: Bearer …'. "
        "Tokens are made on the account page."
    )


class ScopeMissing(DomainError):
    code, status = "scope_missing", 403

    def __init__(self, scope: Scope) -> None:
        text = _("This token may not do that: it lacks the scope %(scope)s. Make another token.")
        super().__init__(text % {"scope": scope.value})


class TooManyRequests(TooMuch):
    code = "too_many_requests"
    default_message = _l("Too many requests in a minute. Wait and try again.")


def caller(key: str, scope: Scope) -> User:
    """The person of a token that may do `scope`.

    Raises TokenInvalid, ScopeMissing, TermsNotAccepted, TooManyRequests.
    """
    token = tokens.authenticate(key, now=timezone.now())
    user = token.user
    allowance = ratelimit.hit("api", str(user.pk), limit=REQUESTS_PER_MINUTE, window_s=60)
    if not allowance.allowed:
        raise TooManyRequests(allowance.retry_after_s)
    if scope not in token.scopes:
        raise ScopeMissing(scope)
    access.check_terms(user)
    return user
