"""Pages of points, goals and prizes need the same queries for one row and for three."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from leaderboard_app.models import Prize, TeamGoal
from tests.factories import person
from tests.leaderboard_app import given

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

POINTS = reverse("admin:leaderboard_app_pointentry_changelist")
GOALS = reverse("admin:leaderboard_app_teamgoal_changelist")
PRIZES = "/leaderboard/prizes/"
MOST_QUERIES = 20


def count(web: Client, url: str) -> int:
    web.get(url)  # fills what is cached for the process
    with CaptureQueriesContext(connection) as queries:
        assert web.get(url).status_code == 200, url
    return len(queries)


def add(lang: str) -> Prize:
    """Somebody with points in a language, its goal, and a prize that this person won."""
    given.scored(person(f"Winner {lang}"), lang=lang, now=timezone.now() - timedelta(hours=1))
    TeamGoal.objects.create(lang=lang, target=10)
    return given.prize(now=timezone.now(), lang=lang)


@pytest.mark.parametrize(
    "url", [POINTS, f"{POINTS}?state__exact=confirmed", GOALS, PRIZES, "/leaderboard/"]
)
def test_more_rows_take_no_more_queries(moderator: Client, url: str) -> None:
    add("en")
    few = count(moderator, url)
    for lang in ("de", "fr"):
        add(lang)

    assert count(moderator, url) == few <= MOST_QUERIES


@pytest.mark.parametrize("page", ["", "winners.csv"])
def test_more_winners_take_no_more_queries(moderator: Client, page: str) -> None:
    small = add("en")
    few = count(moderator, f"{PRIZES}{small.pk}/{page}")
    for lang in ("de", "fr"):
        add(lang)
    large = given.prize(now=timezone.now())
    assert (small.winners.count(), large.winners.count()) == (1, 3)

    assert count(moderator, f"{PRIZES}{large.pk}/{page}") == few
