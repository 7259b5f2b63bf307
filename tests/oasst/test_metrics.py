"""What Prometheus reads, and who else may."""

import uuid
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from oasst.accounts.models import User
from oasst.lib import queue
from tasks_app import reactions
from tasks_app.enums import TaskType
from tasks_app.models import BulkAction, Message, Offer
from tests.chat_app import given
from tests.factories import Grown, grow
from tests.training import given as training
from training.models import SnapshotRequest, TrainingRun

pytestmark = pytest.mark.django_db

REVIEWS = TaskType.LABEL_ASSISTANT_REPLY
Samples = dict[tuple[str, ...], float]


def read(client: Client, **headers: str) -> Samples:
    """name and label values → value, of the site's own figures."""
    response = client.get("/metrics", headers=headers)
    assert response.status_code == 200
    families = text_string_to_metric_families(response.content.decode())
    samples = [sample for family in families for sample in family.samples]
    own = [sample for sample in samples if sample.name.startswith("oasst_")]
    names = ("queue", "kind", "service", "model")
    return {(each.name, *filter(None, map(each.labels.get, names))): each.value for each in own}


def offered(*, since: datetime) -> Grown:
    """A tree with three reviews on offer."""
    tree = grow("P(A A?)")
    Offer.objects.filter(tree=tree.tree).delete()
    Offer.objects.create(
        message=tree[2], tree=tree.tree, kind=REVIEWS, lang="en", slots=3, shuffle=0, since=since
    )
    return tree


def test_everything_that_waits_is_counted_with_its_age(
    client: Client, alice: User, bob: User
) -> None:
    now = timezone.now()
    tree = offered(since=now - timedelta(hours=2))
    reactions.report(tree[1].pk, bob, "spam", "", now=now - timedelta(minutes=5))
    training.queued()
    TrainingRun.objects.update(queued_at=now - timedelta(hours=1))
    given.waiting(alice, now=now - timedelta(seconds=30))

    found = read(client)

    waiting = {key[1:]: value for key, value in found.items() if key[0] == "oasst_waiting"}
    assert waiting["tasks", REVIEWS] == 3
    assert waiting["reports", "spam"] == 1
    assert waiting["training runs", "sft"] == 1
    assert waiting["replies", "tiny"] == 1
    assert waiting["jobs", "default"] == waiting["failed jobs", "default"] == 0
    oldest = "oasst_oldest_waiting_seconds"
    assert found[oldest, "tasks", REVIEWS] == pytest.approx(7200, abs=60)
    assert found[oldest, "reports", "spam"] == pytest.approx(300, abs=60)
    assert found[oldest, "training runs", "sft"] == pytest.approx(3600, abs=60)
    assert found[oldest, "replies", "tiny"] == pytest.approx(30, abs=25)
    assert found["oasst_up", "database"] == found["oasst_up", "redis"] == 1


def test_what_waits_at_the_desk_is_counted_with_its_age(client: Client) -> None:
    now = timezone.now()
    held = Message.objects.filter(pk=grow("P(A?)")[1].pk)
    held.update(held=True, created_at=now - timedelta(hours=3))
    SnapshotRequest.objects.create(name="first", asked_at=now - timedelta(minutes=9))
    BulkAction.objects.create(
        kind="delete", reason="Spam.", messages=9, trees=3, people=1, created_at=now
    )

    found = read(client)

    counts, oldest = "oasst_waiting", "oasst_oldest_waiting_seconds"
    assert found[counts, "held messages"] == found[counts, "snapshots"] == 1
    assert found[counts, "bulk actions", "delete"] == 1
    assert found[oldest, "held messages"] == pytest.approx(10800, abs=60)
    assert found[oldest, "snapshots"] == pytest.approx(540, abs=60)


def test_living_workers_are_counted_by_model(client: Client) -> None:
    given.worker(given.served("tiny"))

    found = read(client)

    assert found["oasst_inference_workers", "tiny"] == 1
    assert found["oasst_replies_running", "tiny"] == 0


def test_requests_are_timed_by_page_and_status(client: Client) -> None:
    client.get("/accounts/login/")

    page = client.get("/metrics").content.decode()

    assert "django_http_requests_latency_seconds_by_view_method_bucket" in page
    assert 'view="account_login"' in page


def test_redis_away_is_said_and_the_rest_still_told(client: Client, settings: Settings) -> None:
    offered(since=timezone.now())
    settings.REDIS_URL = f"unix:///tmp/{uuid.uuid4().hex}.sock"
    queue.redis_client.cache_clear()

    found = read(client)

    queue.redis_client.cache_clear()
    assert found["oasst_up", "redis"] == 0
    assert found["oasst_up", "database"] == 1
    assert found["oasst_waiting", "tasks", REVIEWS] == 3
    assert ("oasst_waiting", "jobs", "default") not in found


def test_number_of_queries_does_not_grow_with_what_waits(
    client: Client, django_assert_num_queries: object
) -> None:
    offered(since=timezone.now())
    with django_assert_num_queries(9):  # type: ignore[operator]
        read(client)
    for _ in range(3):
        offered(since=timezone.now())
        training.queued()

    with django_assert_num_queries(9):  # type: ignore[operator]
        read(client)


@pytest.mark.parametrize("address", ["10.0.0.7", "192.0.2.1", "2001:db8::1", ""])
def test_other_machines_are_refused(client: Client, address: str) -> None:
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == 403


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_proxy_on_the_same_machine_speaks_for_others(client: Client, header: str) -> None:
    assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403


def test_with_a_token_everybody_needs_it(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = "long-and-secret"

    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"authorization": "Bearer no"}).status_code == 403
    assert client.get("/metrics", headers={"authorization": "Bearer é"}).status_code == 403
    right = {"authorization": "Bearer long-and-secret"}
    assert client.get("/metrics", headers=right, REMOTE_ADDR="10.0.0.7").status_code == 200
