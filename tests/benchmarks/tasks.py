"""How fast tasks are handed out and answered, by how many people at once."""

import logging
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from django.db import DatabaseError, connection, connections
from django.utils import timezone

from oasst.accounts.models import User
from oasst.lib import database, detection, queue
from oasst.lib.errors import DomainError
from tasks_app import interactions, selection
from tasks_app.enums import RANDOM
from tasks_app.errors import NoTaskAvailable
from tasks_app.models import Offer, Task
from tests.benchmarks import collection
from tests.benchmarks.timing import percentile, percentile_ms

logger = logging.getLogger(__name__)

# Until the connection knows most queries, as it does on a site.
WARM_UP_CYCLES = 30
AVAILABILITY_CALLS = 300
# Of one client's cycle. Where many compete for little work, they come too late and draw again.
MOST_QUERIES = 20
# At about this speed, half of the work that there is lasts for one round.
CYCLES_PER_S = 200


@dataclass
class Figures:
    """What one or more clients measured, times in seconds."""

    handouts: list[float] = field(default_factory=list)
    submits: list[float] = field(default_factory=list)
    queries: list[int] = field(default_factory=list)
    empty: int = 0
    errors: int = 0
    elapsed: float = 0.0

    def add(self, other: "Figures") -> None:
        """Take in what another client measured in the same time."""
        self.handouts += other.handouts
        self.submits += other.submits
        self.queries += other.queries
        self.empty += other.empty
        self.errors += other.errors

    def report(self) -> dict[str, float]:
        """The figures under the names that do not change."""
        return {
            "handout_p50_ms": percentile_ms(self.handouts, 0.50),
            "handout_p95_ms": percentile_ms(self.handouts, 0.95),
            "submit_p50_ms": percentile_ms(self.submits, 0.50),
            "submit_p95_ms": percentile_ms(self.submits, 0.95),
            "cycles_per_s": round(len(self.submits) / self.elapsed, 1),
            "errors": self.errors,
            "cycles": len(self.submits),
            "no_task": self.empty,
            "queries_mean": round(statistics.fmean(self.queries), 1),
            "queries_p95": percentile(self.queries, 0.95),
            "queries_max": max(self.queries),
        }


def measure(
    messages: int, clients: Sequence[int], seconds: float, *, say: Callable[..., None]
) -> dict[str, Any]:
    """Build a database of so many messages and let each number of clients work on it."""
    with database.scratch("benchmark"):
        started = time.perf_counter()
        collection.build(messages)
        say(f"built {messages:,} messages in {time.perf_counter() - started:.0f} s")
        detection.detect(collection.FILLER)  # loads its model once, not in every client
        availability = _availability()
        reports = {}
        for count in clients:
            report = _measure_clients(count, messages, seconds).report()
            assert count > 1 or report["queries_max"] <= MOST_QUERIES, report
            reports[str(count)] = report
            say(f"{count} clients:", report)
        connection.close()
    return {"messages": messages, "clients": reports, "availability_p95_ms": availability}


def _availability() -> float:
    people = _people(AVAILABILITY_CALLS, random.Random(1))
    times = []
    for user in people:
        started = time.perf_counter()
        selection.available_tasks(user, user.contribution_languages, now=timezone.now())
        times.append(time.perf_counter() - started)
    return percentile_ms(times[WARM_UP_CYCLES:], 0.95)


def _people(count: int, rng: random.Random, part: int = 0, parts: int = 1) -> list[User]:
    """Some people, the busy ones more often than others; nobody is in two parts."""
    numbers = [
        int(collection.USERS / parts * rng.random() ** 2) * parts + part for _ in range(count)
    ]
    emails = [f"person.{number}@example.org" for number in numbers]
    known = {user.email: user for user in User.objects.filter(email__in=emails)}
    return [known[email] for email in emails]


def _measure_clients(count: int, messages: int, seconds: float) -> Figures:
    """Rounds as long as the work lasts, topped up in between."""
    total = Figures()
    with _clients(count) as clients:
        while total.elapsed < seconds:
            collection.top_up(messages)
            supply = sum(Offer.objects.values_list("slots", flat=True))
            span = min(seconds - total.elapsed, max(1.0, supply / 2 / CYCLES_PER_S))
            for client in clients:
                client.send(span)
            for client in clients:
                total.add(_received(client, patience_s=120 + span))
            total.elapsed += span
    return total


@contextmanager
def _clients(count: int) -> Iterator[list[Connection]]:
    """Processes with a connection of their own that stays open, as a web server's do."""
    context = get_context("fork")
    connections.close_all()  # a child must not use its parent's
    ends, processes = [], []
    for part in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=_client, args=(part, count, theirs), daemon=True)
        process.start()
        ends.append(ours)
        processes.append(process)
    for end in ends:
        _received(end, patience_s=120)  # warmed up
    yield ends
    for end in ends:
        end.send(None)
    for process in processes:
        process.join()


def _received(end: Connection, patience_s: float) -> Figures:
    if not end.poll(patience_s):
        raise TimeoutError("a client does not answer")
    return end.recv()


def _client(part: int, parts: int, parent: Connection) -> None:
    """Work for as long as the parent says, again and again, and tell what was measured."""
    queue.redis_client.cache_clear()
    rng = random.Random()
    people = _people(1_000, rng, part, parts)
    figures = Figures()
    for _ in range(WARM_UP_CYCLES):
        _cycle(rng.choice(people), rng, figures)
    parent.send(figures)
    while span_s := parent.recv():
        figures = Figures()
        end = time.perf_counter() + span_s
        while time.perf_counter() < end:
            _cycle(rng.choice(people), rng, figures)
        parent.send(figures)


class QueryCounter:
    """Counts what goes to the database."""

    def __init__(self) -> None:
        self.queries = 0

    def __call__(self, execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        self.queries += 1
        return execute(sql, *args)


def _cycle(user: User, rng: random.Random, figures: Figures) -> None:
    """One person takes a task and does it."""
    counter = QueryCounter()
    try:
        with connection.execute_wrapper(counter):
            started = time.perf_counter()
            task = selection.next_task(user, RANDOM, now=timezone.now(), rng=rng)
            handed_out = time.perf_counter()
            _answer(task, user, rng)
            done = time.perf_counter()
    except NoTaskAvailable:
        figures.empty += 1
    except (DomainError, DatabaseError):
        logger.exception("a cycle failed")
        figures.errors += 1
    else:
        figures.handouts.append(handed_out - started)
        figures.submits.append(done - handed_out)
        figures.queries.append(counter.queries)


def _answer(task: Task, user: User, rng: random.Random) -> None:
    now = timezone.now()
    if task.type.is_writing:
        text = f"{collection.FILLER} {rng.getrandbits(64):x}"
        interactions.submit_reply(task.pk, user, text, now=now)
    elif task.type.is_labeling:
        values = {"spam": float(rng.random() < 0.05), "quality": 0.75}
        interactions.submit_labels(task.pk, user, values, now=now)
    else:
        ids = rng.sample(task.shown_ids, len(task.shown_ids))
        interactions.submit_ranking(task.pk, user, [[pk] for pk in ids], now=now)
