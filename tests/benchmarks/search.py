"""How long the page of messages takes to answer searches, rare and common, on a collection of any
size: as a reader waits, and as the processor works for it (web and database together).
"""

import html
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.conf import settings
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from oasst.lib import database
from tasks_app.models import Message
from tests.benchmarks import collection, search_texts, sql
from tests.benchmarks.search_texts import word
from tests.benchmarks.timing import percentile_ms, worked_s

DEEP = 30  # pages that somebody leafs on
LANGS = ("en", "de", "zh")


def measure(messages: int, requests: int, *, say: Callable[..., None]) -> dict[str, Any]:
    """Build a database of so many messages; ask for words of every sort."""
    with database.scratch("benchmark"):
        started = time.perf_counter()
        sentences = search_texts.prepare()
        collection.build_texts(messages, search_texts.TEXT)
        say(f"built {messages:,} messages in {time.perf_counter() - started:.0f} s")
        return look(sentences, requests, say=say)


def look(sentences: dict[str, list[str]], requests: int, *, say: Callable) -> dict[str, Any]:
    """The figures of each sort of search, and of all."""
    web = _reader()
    rng = random.Random(11)
    found: dict[str, Any] = {"messages": Message.objects.count()}
    times: list[tuple[float, float]] = []
    for name, queries in _sorts(sentences, rng).items():
        some = [_answer(web, next(queries)) for _ in range(requests)]
        times += some
        found[name] = _figures(some)
        say(name, found[name])
    leafed = _leaf(web, {"q": word(20, "en")})
    found["pages_deep_down"] = _figures(leafed)
    return found | {"all": _figures(times + leafed)}


def _sorts(sentences: dict[str, list[str]], rng: random.Random) -> dict[str, Iterator[dict]]:
    """Searches without end, by sort."""

    def made_up(low: int, high: int) -> str:
        lang = rng.choice(LANGS)
        return word(rng.randint(low, high), lang)

    def said() -> list[str]:
        words = rng.choice(sentences[rng.choice(("en", "de"))]).split()
        place = rng.randrange(max(1, len(words) - 3))
        return words[place : place + 3]

    def every(make: Callable[[], Any], **more: str) -> Iterator[dict]:
        while True:
            yield {"q": make(), **more}

    return {
        "rare_words": every(lambda: made_up(10_000, 1_000_000)),
        "words_in_one_of_a_thousand": every(lambda: made_up(300, 3_000)),
        "common_words": every(lambda: made_up(1, 30)),
        "words_of_sentences": every(lambda: " ".join(said())),
        "phrases": every(lambda: f'"{" ".join(said())}"'),
        "or_and_minus": every(lambda: f"{made_up(5, 50)} OR {made_up(5, 500)} -{made_up(1, 9)}"),
        "in_review": every(lambda: f"{made_up(1, 300)} state:review"),
        "before_a_month": every(lambda: f"{made_up(1, 300)} before:{timezone.now():%Y-%m}"),
        "best_match": every(lambda: made_up(1, 3_000), sort="best"),
        "one_language": every(lambda: word(rng.randint(1, 3_000), "zh"), lang="zh"),
        "chinese_character": every(lambda: word(rng.randint(500, 5_000), "zh")[0]),
    }


def _leaf(web: Client, query: dict[str, str]) -> list[tuple[float, float]]:
    """Page after page of a search."""
    times = []
    for _ in range(DEEP):
        times.append(_answer(web, query))
        page = web.get(f"/messages/?{urlencode(query)}").text
        more = re.search(r'rel="next" href="\?([^"]*)"', page)
        if more is None:
            break
        query = dict(parse_qsl(html.unescape(more[1])))
    return times


def _answer(web: Client, query: dict[str, str]) -> tuple[float, float]:
    """Seconds that a reader waits, and that processors work."""
    started, worked = time.perf_counter(), worked_s()
    response = web.get(f"/messages/?{urlencode(query)}")
    waited, worked = time.perf_counter() - started, worked_s() - worked
    assert response.status_code in (200, 503), (query, response.status_code)
    return waited, worked


def _figures(times: list[tuple[float, float]]) -> dict[str, float]:
    waited = [wait for wait, _work in times]
    worked = [work for _wait, work in times]
    return {
        "p50_ms": percentile_ms(waited, 0.5),
        "p95_ms": percentile_ms(waited, 0.95),
        "p99_ms": percentile_ms(waited, 0.99),
        "work_p50_ms": percentile_ms(worked, 0.5),
        "work_p95_ms": percentile_ms(worked, 0.95),
    }


def _reader() -> Client:
    """Somebody who reads three languages, signed in."""
    key = sql.run("SELECT user_id FROM tasks_app_message ORDER BY id LIMIT 1")[0][0]
    reader = User.objects.get(pk=key)
    reader.contribution_languages = list(LANGS)
    reader.tos_version, reader.tos_accepted_at = settings.TOS_VERSION, timezone.now()
    reader.save()
    web = Client()
    web.force_login(reader)
    web.get("/messages/")  # the first request pays for what is made once
    return web
