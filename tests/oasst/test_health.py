"""What the operators' probes say."""

import shutil
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from oasst import health
from oasst.lib import queue


def test_healthz_answers_without_the_database(client: Client) -> None:
    response = client.get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_readyz_is_ready_when_everything_answers(client: Client) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {
        "ready": True,
        "checks": {"database": "ok", "disk": "ok", "redis": "ok"},
    }


@pytest.mark.django_db
def test_readyz_is_ready_without_redis_but_says_so(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = f"unix:///tmp/{uuid.uuid4().hex}.sock"
    queue.redis_client.cache_clear()

    response = client.get("/readyz")

    queue.redis_client.cache_clear()
    assert response.status_code == 200
    assert response.json()["checks"]["redis"] == "unreachable"


@pytest.mark.django_db
def test_readyz_refuses_while_migrations_are_missing(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE id ="
            " (SELECT max(id) FROM django_migrations WHERE app = 'accounts')"
        )

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "migrations pending"


@pytest.mark.django_db
def test_readyz_reads_the_migrations_once_for_each_record_of_them(client: Client) -> None:
    health._is_migrated.cache_clear()
    client.get("/readyz")
    with CaptureQueriesContext(connection) as again:
        assert client.get("/readyz").status_code == 200

    assert health._is_migrated.cache_info().misses == 1
    assert len(again) == 2
    MigrationRecorder(connection).record_unapplied("accounts", "0012_erases_texts")
    assert client.get("/readyz").status_code == 503
    MigrationRecorder(connection).record_applied("accounts", "0012_erases_texts")
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_readyz_refuses_when_the_disk_is_almost_full(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1024))

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["checks"]["disk"] == "almost full"


@pytest.mark.django_db
def test_readyz_looks_at_the_disk_of_runs_though_no_run_was_there_yet(
    client: Client, monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    settings.RUNS_DIR = tmp_path / "mounted" / "runs"
    full = {tmp_path: 1024}
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: SimpleNamespace(free=full.get(path, 2**40))
    )

    assert client.get("/readyz").json()["checks"]["disk"] == "almost full"
