"""Answers of `/healthz` (this process lives) and `/readyz` (it can do its work)."""

import shutil
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from redis.exceptions import RedisError

from oasst.lib.queue import redis_client

MINIMUM_FREE_BYTES = 200 * 1024 * 1024


@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """503 without the database, its migrations or disk space; Redis away is told but no reason."""
    needed = {"database": _database(), "disk": _disk()}
    checks = {**needed, "redis": _redis()}
    is_ready = set(needed.values()) == {"ok"}
    return JsonResponse({"ready": is_ready, "checks": checks}, status=200 if is_ready else 503)


def _database() -> str:
    try:
        return "ok" if _is_migrated(_recorded()) else "migrations pending"
    except DatabaseError:
        return "unreachable"


def _recorded() -> tuple[int, int] | None:
    """What tells one record of migrations from another; None before the first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('django_migrations')")
        if cursor.fetchone() == (None,):
            return None
        cursor.execute("SELECT count(*), coalesce(max(id), 0) FROM django_migrations")
        return cursor.fetchone()


@lru_cache(maxsize=1)
def _is_migrated(recorded: tuple[int, int] | None) -> bool:
    """True if nothing is to be applied. A process looks through its files once for each record:
    they are many, and probes come every few seconds."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _disk() -> str:
    """How the fullest disk is that we write to; a folder that is not there yet is its parent's."""
    folders = (settings.BASE_DIR, settings.VAR_DIR, settings.RUNS_DIR, settings.MODELS_DIR)
    free = min(shutil.disk_usage(_there(folder)).free for folder in folders)
    return "ok" if free >= MINIMUM_FREE_BYTES else "almost full"


def _there(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def _redis() -> str:
    try:
        redis_client().ping()
    except RedisError:
        return "unreachable"
    return "ok"
