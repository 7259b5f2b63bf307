"""How fast a site answers people who look around and work, by how many requests a second.

Locust beside the site, which has its own PostgreSQL and Valkey, on 127.0.0.1. Of phases: steady, a
burst of three times as much, steady again. A request that is answered by a redirect is two for the
site and one for who counts, except after an answer, where people go on by themselves.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from leaderboard_app import jobs as leaderboards
from oasst.accounts.models import User
from oasst.lib import database
from tasks_app.models import Message, TextLabels
from tests.benchmarks import collection
from tests.benchmarks.timing import percentile_ms
from tests.load import site as sites
from tests.load.site import Site
from tests.sessions import signed_in

Say = Callable[..., None]
RECOVERED_SHARE = 2.0  # of the steady p95 that counts as back to it
SETTLE_S = 10
PAGES = ("/dashboard/", "/messages/", "/tasks/", "/leaderboard/", "/stats/", "/contributions/",
         "/tasks/queues/", "/notifications/")  # fmt: skip
PROBING_PEOPLE = 5


@dataclass
class Load:
    """How much of everything."""

    messages: int = 100_000
    people: int = 200
    rate: float = 50
    minutes: float = 5
    burst_s: float = 60
    after_s: float = 60

    @property
    def phases(self) -> list[tuple[float, float]]:
        """Seconds and requests a second of each."""
        steady = (self.minutes * 60, self.rate)
        if not self.burst_s:
            return [steady]
        return [steady, (self.burst_s, 3 * self.rate), (self.after_s, self.rate)]


@dataclass
class Request:
    """One line of the record."""

    at_s: float
    phase: int
    name: str
    status: int
    ms: float

    @property
    def is_shed(self) -> bool:
        return self.status in (429, 503)

    @property
    def is_error(self) -> bool:
        return self.status == 0 or (self.status >= 400 and not self.is_shed)


def measure(load: Load, folder: Path, *, say: Say) -> dict[str, Any]:
    """Fill a scratch database, run a site on it, and let people loose."""
    with database.scratch("pages"):
        began = time.perf_counter()
        links = build(load.messages, load.people)
        say(f"built in {time.perf_counter() - began:.0f} s: {counts()}")
        report: dict[str, Any] = {"rows": counts(), "queries": _probe(say)}
        connection.close()
        with sites.running(folder) as site, _watched(site) as cpu:
            record = play(site, links, load.phases, folder)
        report |= {"people": load.people, "cpu_s": cpu, "phases": []}
        of_web = sum(seconds for name, seconds in cpu.items() if name.startswith("web"))
        report["web_cpu_ms_per_request"] = round(1000 * of_web / len(record), 1)
        for number, (seconds, rate) in enumerate(load.phases):
            requests = [request for request in record if request.phase == number]
            report["phases"].append({"asked_per_s": rate} | figures(requests, seconds))
        if load.burst_s:
            report["recovered_after_s"] = _recovered_after_s(record, load)
        report["by_page"] = _by_page([request for request in record if request.phase == 0])
        connection.close()
    return report


def build(messages: int, people: int) -> list[str]:
    """Rows, boards, and links that sign some of the people in."""
    collection.build(messages)
    User.objects.update(tos_version=settings.TOS_VERSION, tos_accepted_at=timezone.now())
    for refresh in (leaderboards.refresh_total, leaderboards.refresh_statistics):
        refresh()
    rng = random.Random(7)
    numbers = rng.sample(range(collection.USERS // 4), people)
    emails = [f"person.{number}@example.org" for number in numbers]
    return sites.sign_in_links(list(User.objects.filter(email__in=emails)))


def counts() -> dict[str, int]:
    """How many rows there are of what counts."""
    sets = TextLabels.objects.count()
    labels = "SELECT sum((SELECT count(*) FROM jsonb_object_keys(values))) FROM"
    with connection.cursor() as cursor:
        cursor.execute(f"{labels} {TextLabels._meta.db_table}")
        single = int(cursor.fetchone()[0] or 0)
    people, written = User.objects.count(), Message.objects.count()
    return {"messages": written, "label_sets": sets, "labels": single, "users": people}


# Queries of pages


class _Queries:
    """Times what goes to the database."""

    def __init__(self) -> None:
        self.times: list[tuple[float, str]] = []

    def __call__(self, execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, *args)
        finally:
            self.times.append((1000 * (time.perf_counter() - began), sql))


def _probe(say: Say) -> dict[str, Any]:
    """Most queries of each page, and the slowest query of all, when nothing else goes on."""
    people = list(User.objects.order_by("pk")[:PROBING_PEOPLE])
    messages = list(Message.objects.filter(depth=2).order_by("pk")[:PROBING_PEOPLE])
    most: dict[str, int] = {}
    slowest: list[tuple[float, str, str]] = []
    for person, message in zip(people, messages, strict=True):
        browser = signed_in(person)
        paths = {path: path for path in PAGES}
        paths |= {
            "/trees/…/": f"/trees/{message.tree_id}/",
            "/messages/…/": f"/messages/{message.pk}/",
        }
        for name, path in paths.items():
            cache.clear()
            for is_warm in (False, True):
                queries = _Queries()
                with connection.execute_wrapper(queries):
                    assert browser.get(path).status_code == 200, path
                if is_warm:
                    most[name] = max(most.get(name, 0), len(queries.times))
                slowest += [(ms, name, sql) for ms, sql in queries.times]
    slowest.sort(reverse=True)
    for ms, name, sql in slowest[:5]:
        say(f"{ms:.1f} ms on {name}: {sql[:300]}")
    return {
        "most_per_page": most,
        "slowest_ms": round(slowest[0][0], 1),
        "slowest_on": slowest[0][1],
    }


# The load


def play(
    site: Site, links: list[str], phases: list[tuple[float, float]], folder: Path
) -> list[Request]:
    """Let locust play the phases; what each request met."""
    plan, record = folder / "plan.json", folder / "record"
    told = {"links": links, "phases": phases, "settle_s": SETTLE_S, "record": str(record)}
    plan.write_text(json.dumps(told))
    seconds = sum(length for length, _rate in phases)
    # To sign in is three requests, and they should not be more than there are afterwards.
    sign_ins_per_s = max(1.0, phases[0][1] / 4)
    sign_in_s = len(links) / sign_ins_per_s + SETTLE_S
    words = ["-m", "locust", "-f", "tests/load/locustfile.py", "--headless", "--only-summary"]
    words += ["-u", str(len(links)), "-r", str(sign_ins_per_s), "--host", site.address]
    words += ["-t", f"{int(sign_in_s + seconds + 15)}s", "--stop-timeout", "30"]
    with (folder / "locust.log").open("wb") as output:
        subprocess.run(
            [sys.executable, *words],
            env={**os.environ, "LOAD_PLAN": str(plan), "PYTHONPATH": str(settings.BASE_DIR)},
            cwd=settings.BASE_DIR,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=sign_in_s + seconds + 180,
            check=False,  # it counts what is shed as failed
        )
    found = [Request(*json.loads(line)) for line in record.read_text().splitlines()]
    assert found, (folder / "locust.log").read_text(errors="replace")[-3000:]
    return found


@contextmanager
def _watched(site: Site) -> Iterator[dict[str, float]]:
    """Seconds of a processor that each program takes, which others on the machine do not change."""
    taken: dict[str, float] = {}
    processes = {name: process.pid for name, process in site.programs().items()}
    before = {name: _cpu_s(pid) for name, pid in processes.items()}
    yield taken
    for name, pid in processes.items():
        taken[name] = round(_cpu_s(pid) - before[name], 1)


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


# The figures


def figures(requests: list[Request], seconds: float) -> dict[str, Any]:
    """How many came through how fast, how many were shed, and what went wrong."""
    answered = [request.ms / 1000 for request in requests if not request.is_shed]
    errors = Counter(f"{request.status} {request.name}" for request in requests if request.is_error)
    return {
        "requests_per_s": round(len(requests) / seconds, 1),
        "p50_ms": percentile_ms(answered, 0.50),
        "p95_ms": percentile_ms(answered, 0.95),
        "p99_ms": percentile_ms(answered, 0.99),
        "shed": sum(request.is_shed for request in requests),
        "errors": dict(errors),
    }


def _by_page(requests: list[Request]) -> dict[str, Any]:
    times: dict[str, list[float]] = defaultdict(list)
    for request in requests:
        if not request.is_shed:
            times[request.name].append(request.ms / 1000)
    return {
        name: {
            "requests": len(taken),
            "p50_ms": percentile_ms(taken, 0.5),
            "p95_ms": percentile_ms(taken, 0.95),
        }
        for name, taken in sorted(times.items())
    }


def _recovered_after_s(record: list[Request], load: Load) -> float | None:
    """Seconds after the burst until answers are as quick as before it, and none is refused."""
    steady = [r.ms for r in record if r.phase == 0]
    limit = RECOVERED_SHARE * percentile_ms([ms / 1000 for ms in steady], 0.95)
    over = load.minutes * 60 + load.burst_s
    after = [r for r in record if r.phase == 2]
    for second in range(int(load.after_s)):
        window = [r for r in after if second <= r.at_s - over < second + 1]
        if not window or any(r.is_shed for r in window):
            continue
        if percentile_ms([r.ms / 1000 for r in window], 0.95) <= limit:
            return float(second)
    return None
