"""How long acts and answers take, and which time most do not exceed."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.test import Client


def seconds_of(act: Callable[[], Any]) -> float:
    """What an act takes."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def answers(asked: Iterable[tuple[Client, str]], *, fresh: bool = False) -> list[float]:
    """Seconds of requests, one after the other; `fresh` ones find nothing in the cache."""
    times = []
    for browser, url in asked:
        if fresh:
            cache.clear()
        started = time.perf_counter()
        response = browser.get(url)
        times.append(time.perf_counter() - started)
        assert response.status_code == 200, (url, response.status_code)
    return times


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def percentile_ms(times_s: Sequence[float], share: float) -> float:
    """The same in milliseconds."""
    return round(1000 * percentile(times_s, share), 2)


def worked_s() -> float:
    """Processor time of this process and of its connection to the database, where both run here."""
    backend = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    of_database = int(backend.read_text().split()[0]) / 1e9 if backend.exists() else 0.0
    return time.process_time() + of_database
