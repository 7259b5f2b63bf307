"""How long the page of messages takes to answer searches, rare and common, on a collection of any
size: as a reader waits, and as the processor works for it (web and database together).
"""

import html
import random
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.conf import settings
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from oasst.lib import database
from tasks_app.models import Message
from tests.benchmarks import collection, search_texts, searching, sql
from tests.benchmarks.search_texts import word
from tests.benchmarks.searching import LANGS, Times, Words, every, figures

DEEP = 30  # pages that somebody leafs on


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
    sorts = _sorts(Words(sentences, random.Random(11)))
    found, times = searching.look(sorts, partial(_answer, web), requests, say=say)
    leafed = _leaf(web, {"q": word(20, "en")})
    found["pages_deep_down"] = figures(leafed)
    return {"messages": Message.objects.count()} | found | {"all": figures(times + leafed)}


def _sorts(words: Words) -> dict[str, Iterator[dict[str, str]]]:
    """Searches without end, by sort."""

    def asked(make: Callable[[], str], **more: str) -> Iterator[dict[str, str]]:
        return every(lambda: {"q": make(), **more})

    made_up, rng = words.made_up, words.rng
    return {
        "rare_words": asked(lambda: made_up(10_000, 1_000_000)),
        "words_in_one_of_a_thousand": asked(lambda: made_up(300, 3_000)),
        "common_words": asked(lambda: made_up(1, 30)),
        "words_of_sentences": asked(words.said),
        "phrases": asked(lambda: f'"{words.said()}"'),
        "or_and_minus": asked(words.either_without),
        "in_review": asked(lambda: f"{made_up(1, 300)} state:review"),
        "before_a_month": asked(lambda: f"{made_up(1, 300)} before:{timezone.now():%Y-%m}"),
        "best_match": asked(lambda: made_up(1, 3_000), sort="best"),
        "one_language": asked(lambda: word(rng.randint(1, 3_000), "zh"), lang="zh"),
        "chinese_character": asked(words.character),
    }


def _leaf(web: Client, query: dict[str, str]) -> list[Times]:
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


def _answer(web: Client, query: dict[str, str]) -> Times:
    return searching.answer(web, f"/messages/?{urlencode(query)}", expected=(200, 503))


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
