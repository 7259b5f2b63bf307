"""How fast statistics and boards are shown and counted on a collection of any size."""

import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.test import Client
from django.utils import timezone

from leaderboard_app import daily, dataset_stats
from leaderboard_app.spans import Span
from oasst.lib import database
from tasks_app.models import Contribution, Message, TextLabels
from tests.benchmarks import boards, collection
from tests.benchmarks.timing import answers, percentile_ms, seconds_of


def measure(messages: int, requests: int, *, say: Callable[..., None]) -> dict[str, Any]:
    """Build a database of so many messages, count it, and look at the page in many ways."""
    with database.scratch("benchmark"):
        collection.build(messages)
        _differ()
        say("built")
        counted = {
            "recount_s": round(seconds_of(lambda: daily.recount(now=timezone.now())), 2),
            "refresh_s": round(seconds_of(lambda: daily.refresh(now=timezone.now())), 2),
        }
        say(counted)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        rows = {
            "messages": Message.objects.count(),
            "label_sets": TextLabels.objects.count(),
            "contributions": Contribution.objects.count(),
        }
        looks = {
            "uncached": _look(requests, fresh=True),
            "cached": _look(requests, fresh=False),
        }
        return rows | counted | looks | {"boards": boards.measure(requests, say=say)}


def _differ() -> None:
    """Let label sets differ from each other, as people's do."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("ALTER TABLE tasks_app_textlabels DISABLE TRIGGER USER")
        cursor.execute(
            """UPDATE tasks_app_textlabels SET values = values || jsonb_build_object(
            'quality', (id % 5) / 4.0, 'helpfulness', (id / 5 % 5) / 4.0,
            'creativity', (id / 25 % 5) / 4.0, 'humor', (id / 125 % 5) / 4.0)"""
        )
        cursor.execute("ALTER TABLE tasks_app_textlabels ENABLE TRIGGER USER")
        cursor.execute("VACUUM (ANALYZE) tasks_app_textlabels")


def _look(requests: int, *, fresh: bool) -> dict[str, float]:
    """Requests for all spans and languages, one after the other; `fresh` ones find no cache."""
    client, rng = Client(), random.Random(7)
    langs = ["", *dataset_stats.languages()]
    asked = [{"lang": rng.choice(langs), "span": rng.choice(list(Span))} for _ in range(requests)]
    times = answers(((client, f"/stats/?{urlencode(query)}") for query in asked), fresh=fresh)
    return {f"p{p}_ms": percentile_ms(times, p / 100) for p in (50, 95, 99)}
