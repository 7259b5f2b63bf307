"""Signed-in browsers."""

from collections.abc import Callable

import pytest
from django.test import Client

from oasst.accounts.models import User

SignIn = Callable[[User], Client]
# What htmx says of itself.
HTMX = {"HX-Request": "true"}


@pytest.fixture
def sign_in(db: None) -> SignIn:
    """A browser in which somebody is signed in."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return signed_in


@pytest.fixture
def web(sign_in: SignIn, alice: User) -> Client:
    """Alice's browser."""
    return sign_in(alice)
