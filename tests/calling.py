"""Programs that call the API with a token."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from oasst.accounts import tokens
from oasst.accounts.enums import Scope
from oasst.accounts.models import User
from tests.factories import NOW


def token_of(user: User, *scopes: Scope) -> str:
    """A new token of `user`; it may do everything unless told otherwise."""
    _row, key = tokens.create(user, "Tests", scopes or tuple(Scope), now=NOW)
    return key


class Program:
    """Calls /api/v1/ as somebody."""

    def __init__(self, key: str) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {key}"} if key else {})

    def call(self, method: str, path: str, body: Any = None) -> HttpResponse:
        options = {} if body is None else {"data": body, "content_type": "application/json"}
        return getattr(self.client, method)(f"/api/v1{path}", **options)

    def get(self, path: str) -> Any:
        """What a path answers with 200."""
        response = self.call("get", path)
        assert response.status_code == 200, response.content
        return response.json()


def code_of(response: HttpResponse) -> tuple[int, str]:
    """Status and code of a refusal."""
    return response.status_code, response.json()["error"]["code"]


@pytest.fixture
def program(alice: User) -> Program:
    """A program of Alice's."""
    return Program(token_of(alice))
