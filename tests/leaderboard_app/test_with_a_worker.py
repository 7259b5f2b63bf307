"""Points with a real worker, on queues that wait for one."""

import time
from collections.abc import Iterator
from pathlib import Path

import django_rq
import pytest
from django.db import transaction
from django.test import Client
from pytest_django.fixtures import Settings
from rq import SimpleWorker

from leaderboard_app import ledger
from leaderboard_app.models import PointEntry
from oasst.accounts.models import User
from oasst.cron import LONG_JOBS
from oasst.lib import queue
from tests import stack
from tests.factories import grow
from tests.leaderboard_app import given

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SETTLE = "leaderboard_app.jobs.settle_points"
POLLS = 300
PAUSE_S = 0.1  # between two looks at the page


@pytest.fixture(autouse=True)
def _queues_that_wait(settings: Settings) -> None:
    settings.RQ = {}
    settings.RQ_QUEUES = {
        name: {"URL": settings.REDIS_URL, "DEFAULT_TIMEOUT": 60} for name in ("default", "long")
    }


@pytest.fixture
def _worker(settings: Settings, alice: User) -> Iterator[None]:
    """The program that a site runs for sign-in mails and points."""
    log = Path(settings.VAR_DIR) / "points" / "rqworker.log"
    with stack.running(["manage.py", "rqworker", "default", "-v", "0"], log, stack.environment()):
        yield


@pytest.mark.usefixtures("_worker")
def test_own_points_show_what_was_contributed_once_it_is_committed(
    web: Client, alice: User, bob: User
) -> None:
    message = grow("P(A?)", author=bob)[1]

    with transaction.atomic():
        given.review(alice, message)
        assert django_rq.get_queue("default").count == 0

    entry = _first_entry(web)
    assert (entry.user, entry.reason, entry.state) == (alice, "review_full", "pending")
    assert not PointEntry.objects.filter(user=bob).exists()


def _first_entry(web: Client) -> PointEntry:
    """What the page of one's own points shows, as soon as it shows something."""
    for _ in range(POLLS):
        page = web.get("/leaderboard/points/")
        if page.context["entries"]:
            assert "Waits for the reviews of others." in page.text
            return page.context["entries"][0]
        time.sleep(PAUSE_S)
    pytest.fail("no points were booked")


def test_no_points_wait_for_a_look_at_every_tree(alice: User, bob: User) -> None:
    trees = [grow("P(A?)", author=bob) for _ in range(ledger.TREES_AT_ONCE)]
    queue.enqueue_now(SETTLE, long=SETTLE in LONG_JOBS)
    given.review(alice, trees[0][1])

    _work("default")
    assert PointEntry.objects.get().user == alice
    assert django_rq.get_queue("long").count == 1

    _work("long")
    assert django_rq.get_queue("default").count == 0


def _work(name: str) -> None:
    django_rq.get_worker(name, worker_class=SimpleWorker).work(burst=True)
