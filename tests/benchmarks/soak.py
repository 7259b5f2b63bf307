"""Whether a site under steady load takes ever more memory, files or connections."""

import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from django.db import connection

from oasst.lib import database
from tests.benchmarks import pages
from tests.benchmarks.pages import Load, Say
from tests.load import site as sites
from tests.load.site import Site

SAMPLE_EVERY_S = 5.0
# Before that, programs load what they need, and the pool and the caches fill.
WARM_UP_SHARE = 0.25


@dataclass
class Samples:
    """Of one program: seconds, MiB of memory, open files, connections."""

    rows: list[tuple[float, float, int, int]] = field(default_factory=list)
    pids: set[int] = field(default_factory=set)

    def figures(self) -> dict[str, Any]:
        """How things stood after the warm-up, at the end, and how they grew between."""
        start = int(len(self.rows) * WARM_UP_SHARE)
        settled = self.rows[start:]
        window = max(1, len(settled) // 10)
        first, last = settled[:window], settled[-window:]
        memory = [statistics.median(row[1] for row in part) for part in (first, last)]
        return {
            "rss_mib": [round(each, 1) for each in memory],
            "rss_growth_percent": round(100 * (memory[1] / memory[0] - 1), 1),
            "files": [_median(first, 2), _median(last, 2)],
            "connections": [_median(first, 3), _median(last, 3)],
            "restarts": len(self.pids) - 1,
        }


def measure(load: Load, folder: Path, *, say: Say) -> dict[str, Any]:
    """Let people loose for `load.minutes` and look at each program all the while."""
    with database.scratch("soak"):
        links = pages.build(load.messages, load.people)
        say(f"built: {pages.counts()}")
        connection.close()
        with sites.running(folder) as site, _sampled(site) as samples:
            record = pages.play(site, links, load.phases, folder)
        connection.close()
    figures = pages.figures(record, load.minutes * 60)
    return {
        "minutes": load.minutes,
        "rate": load.rate,
        "rows": {"messages": load.messages},
        "answers": figures,
        "programs": {name: each.figures() for name, each in samples.items()},
    }


@contextmanager
def _sampled(site: Site) -> Iterator[dict[str, Samples]]:
    samples: dict[str, Samples] = defaultdict(Samples)
    is_over = threading.Event()

    def sample() -> None:
        began = time.monotonic()
        while not is_over.wait(SAMPLE_EVERY_S):
            for name, process in site.programs().items():
                try:
                    row = _look(process)
                except psutil.Error:
                    continue
                samples[name].pids.add(process.pid)
                samples[name].rows.append((time.monotonic() - began, *row))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield samples
    finally:
        is_over.set()
        sampler.join()


def _look(process: psutil.Process) -> tuple[float, int, int]:
    memory = process.memory_info().rss / 2**20
    return memory, process.num_fds(), len(process.net_connections(kind="all"))


def _median(rows: list[tuple[float, float, int, int]], column: int) -> float:
    return statistics.median(row[column] for row in rows)
