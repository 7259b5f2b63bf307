"""People signed in without a request."""

from collections.abc import Callable

from django.conf import settings
from django.test import Client

from oasst.accounts.models import User

SignIn = Callable[[User], Client]
# What htmx says of itself.
HTMX = {"HX-Request": "true"}


def signed_in(user: User) -> Client:
    """A browser in which `user` is signed in."""
    client = Client()
    client.force_login(user, backend="oasst.accounts.backends.ByPassword")
    return client


def cookie_of(user: User) -> str:
    """The session cookie of a browser in which `user` is signed in."""
    return signed_in(user).cookies[settings.SESSION_COOKIE_NAME].value


def browser_of(cookie: str | None, *, strict: bool = False) -> Client:
    """A browser with that cookie, or a visitor's; `strict` ones need the token of forms."""
    client = Client(enforce_csrf_checks=strict)
    if cookie:
        client.cookies[settings.SESSION_COOKIE_NAME] = cookie
    return client
