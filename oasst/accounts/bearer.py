"""Who calls the APIs: the person behind a bearer token, if it may do what is asked."""

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from ninja.security import HttpBearer

from oasst.accounts import tokens
from oasst.accounts.enums import Scope
from oasst.accounts.models import ApiToken, User
from oasst.accounts.people import require_terms
from oasst.lib import ratelimit
from oasst.lib.errors import DomainError, TooMuch

# Of a person, with all tokens, and of these what may change something, by one of them. What the
# person does on the pages is counted by itself.
REQUESTS_PER_MINUTE = 240
WRITES_PER_MINUTE = 180


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
        self.details = {"missing_scopes": [scope.value]}


class TooManyRequests(TooMuch):
    code = "too_many_requests"
    default_message = _l("Too many requests in a short time. Wait and try again.")


class BearerToken(HttpBearer):
    """A token of the account page that has a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        super().__init__()

    def authenticate(self, request: HttpRequest, token: str) -> User:
        """Give the token's person, who is `request.auth` from then on."""
        known = _admitted(token, self.scope)
        if request.method != "GET":
            limit = WRITES_PER_MINUTE
            require(ratelimit.hit("api-writes", str(known.pk), limit=limit, window_s=60))
        return known.user


def caller(key: str, scope: Scope) -> User:
    """The person of a token that may do `scope`.

    Raises TokenInvalid, ScopeMissing, TermsNotAccepted, TooManyRequests.
    """
    return _admitted(key, scope).user


def _admitted(key: str, scope: Scope) -> ApiToken:
    token = tokens.authenticate(key, now=timezone.now())
    require(ratelimit.hit("api", str(token.user_id), limit=REQUESTS_PER_MINUTE, window_s=60))
    if scope not in token.scopes:
        raise ScopeMissing(scope)
    require_terms(token.user)
    return token


def require(allowance: ratelimit.Allowance) -> None:
    """Raise TooManyRequests if a limit is reached."""
    if not allowance.allowed:
        raise TooManyRequests(allowance.retry_after_s)


def person(request: HttpRequest) -> User:
    """Whose token came with the request."""
    user: User = request.auth  # type: ignore[attr-defined]
    return user
