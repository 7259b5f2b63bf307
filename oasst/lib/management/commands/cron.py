"""`manage.py cron`: puts each periodic job on its queue when it is due.

A job still waiting is not queued twice, so nothing piles up while workers are away; while Redis
is away the next round tries again.
"""

import logging
import math
import time
from collections.abc import Collection

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from oasst.lib.queue import enqueue_now

logger = logging.getLogger(__name__)


def due(schedule_s: dict[str, int], last_run: dict[str, float], now: float) -> list[str]:
    """List the jobs never run or last run a period ago; `now` and `last_run` are seconds."""
    return [
        path for path, period in schedule_s.items() if now >= last_run.get(path, -math.inf) + period
    ]


class Command(BaseCommand):
    help = "Put periodic jobs on the queue when they are due; runs until it is stopped."

    def handle(self, **options: object) -> None:
        schedule_s: dict[str, int] = import_string(settings.CRON_SCHEDULE)
        long_jobs: Collection[str] = import_string(settings.CRON_LONG_JOBS)
        last_run: dict[str, float] = {}
        logger.info("cron: %s periodic jobs", len(schedule_s))
        while True:
            now = time.monotonic()
            for path in due(schedule_s, last_run, now):
                enqueue_now(path, key=f"cron:{path}", long=path in long_jobs)
                last_run[path] = now
            time.sleep(1)
