"""The landing page."""

import pytest
from django.core.cache import cache
from django.test import Client

from oasst.accounts.models import User
from tests.factories import alice, grow, trudy

pytestmark = pytest.mark.django_db


def test_home_shows_visitors_live_counts(client: Client) -> None:
    cache.clear()
    alice()
    grow("P(A A-)")

    page = client.get("/")

    assert page.status_code == 200
    assert page.context["counts"]["messages"] == 2
    assert page.context["counts"]["languages"] == 1
    assert page.context["counts"]["people"] >= 1


def test_home_counts_people_who_may_contribute(client: Client) -> None:
    cache.clear()
    alice()
    User.objects.create_user("declined@example.org")
    trudy()

    assert client.get("/").context["counts"]["people"] == 1


def test_home_sends_people_on_to_their_dashboard(web: Client) -> None:
    response = web.get("/")

    assert response.status_code == 302
    assert response["Location"] == "/dashboard/"


def test_home_counts_once_a_minute(
    client: Client, django_assert_num_queries: pytest.FixtureLookupError
) -> None:
    cache.clear()
    client.get("/")

    with django_assert_num_queries(0):
        client.get("/")
