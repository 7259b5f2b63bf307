"""Answers of `/healthz` (this process lives) and `/readyz` (it can do its work)."""

import shutil

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
        executor = MigrationExecutor(connection)
    except DatabaseError:
        return "unreachable"
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return "migrations pending" if pending else "ok"


def _disk() -> str:
    free = shutil.disk_usage(settings.BASE_DIR).free
    return "ok" if free >= MINIMUM_FREE_BYTES else "almost full"


def _redis() -> str:
    try:
        redis_client().ping()
    except RedisError:
        return "unreachable"
    return "ok"
