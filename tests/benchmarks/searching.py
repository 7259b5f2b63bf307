"""What the benchmarks of searches share: words to look for, and how long pages take to answer."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from django.test import Client

from tests.benchmarks.search_texts import word
from tests.benchmarks.timing import percentile_ms, worked_s

LANGS = ("en", "de", "zh")
Times = tuple[float, float]  # seconds that a reader waits, and that processors work
Query = TypeVar("Query")


class Words:
    """Words of `search_texts`, rare and common as wanted, and out of its sentences."""

    def __init__(self, sentences: dict[str, list[str]], rng: random.Random) -> None:
        self.sentences, self.rng = sentences, rng

    def made_up(self, low: int, high: int) -> str:
        lang = self.rng.choice(LANGS)
        return word(self.rng.randint(low, high), lang)

    def said(self) -> str:
        words = self.rng.choice(self.sentences[self.rng.choice(("en", "de"))]).split()
        place = self.rng.randrange(max(1, len(words) - 3))
        return " ".join(words[place : place + 3])

    def either_without(self) -> str:
        return f"{self.made_up(5, 50)} OR {self.made_up(5, 500)} -{self.made_up(1, 9)}"

    def character(self) -> str:
        return word(self.rng.randint(500, 5_000), "zh")[0]


def every(make: Callable[[], Query]) -> Iterator[Query]:
    """Queries without end."""
    while True:
        yield make()


def look(
    sorts: Mapping[str, Iterator[Query]],
    ask: Callable[[Query], Times],
    requests: int,
    *,
    say: Callable[..., None],
) -> tuple[dict[str, Any], list[Times]]:
    """The figures of each sort of search, and the times of all."""
    found: dict[str, Any] = {}
    times: list[Times] = []
    for name, queries in sorts.items():
        some = [ask(next(queries)) for _ in range(requests)]
        times += some
        found[name] = figures(some)
        say(name, found[name])
    return found, times


def answer(web: Client, url: str, *, expected: tuple[int, ...] = (200,)) -> Times:
    """What a page takes."""
    started, worked = time.perf_counter(), worked_s()
    response = web.get(url)
    waited, worked = time.perf_counter() - started, worked_s() - worked
    assert response.status_code in expected, (url, response.status_code)
    return waited, worked


def figures(times: list[Times]) -> dict[str, float]:
    """Percentiles of what pages took."""
    waited = [wait for wait, _work in times]
    worked = [work for _wait, work in times]
    return {
        "p50_ms": percentile_ms(waited, 0.5),
        "p95_ms": percentile_ms(waited, 0.95),
        "p99_ms": percentile_ms(waited, 0.99),
        "work_p50_ms": percentile_ms(worked, 0.5),
        "work_p95_ms": percentile_ms(worked, 0.95),
    }
