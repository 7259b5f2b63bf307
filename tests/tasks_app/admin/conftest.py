"""Browsers of the staff."""

import pytest
from django.test import Client

from oasst.accounts.models import User
from tests.tasks_app.admin.desk import signed_in


@pytest.fixture
def moderator(mona: User) -> Client:
    """Mona's browser."""
    return signed_in(mona)


@pytest.fixture
def administrator(root: User) -> Client:
    """Root's browser."""
    return signed_in(root)
