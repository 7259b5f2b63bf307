"""Who a session belongs to, without asking the database again: `settings.AUTHENTICATION_BACKENDS`.

A page would read the session, then the account, then its groups; sessions.py reads all with one
query, and these take the account from there.
"""

from typing import Any

from allauth.account import auth_backends as allauth
from django.contrib.auth import backends as django

from oasst.accounts import sessions
from oasst.accounts.models import User


class _OfTheSession(django.ModelBackend):
    """As Django's, that knows the account which was read with the session."""

    def get_user(self, user_id: Any) -> User | None:
        user = sessions.owner_read_along(user_id)
        if user is None:
            return super().get_user(user_id)
        return user if self.user_can_authenticate(user) else None


class ByPassword(_OfTheSession):
    """Passwords, which only those have who were given one on the command line; permissions."""


class BySignIn(_OfTheSession, allauth.AuthenticationBackend):
    """allauth's: links, codes, passkeys and other sites' accounts."""
