"""How long it takes to find what says nearly the same, to store a text so that it is found, and to
send one with all that belongs to it."""

import gzip
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.utils import timezone

from oasst.lib import database
from tasks_app import minhash, similar
from tasks_app.models import Message
from tasks_app.similar_records import TextSignature
from tests.benchmarks import collection, sending, sql
from tests.benchmarks.timing import percentile_ms, seconds_of

LANG = "en"
CHANGED = 5  # characters of a text that is sent again


def measure(
    messages: int, texts: Path, requests: int, *, say: Callable[..., None]
) -> dict[str, Any]:
    """Fill a table of so many signatures, some of them of the published `texts`; then ask."""
    published = _published(texts)
    with database.scratch("benchmark"):
        started = time.perf_counter()
        collection.build(messages)
        _store_strangers()
        real = _store(published[: min(len(published) - requests, messages // 2)])
        sql.run("VACUUM (ANALYZE) tasks_app_textsignature")
        say(f"built {messages:,} messages in {time.perf_counter() - started:.0f} s")
        rng = random.Random(5)
        fresh = published[-requests:]
        again = [_changed(text, rng) for text in rng.sample(real, requests)]
        return sending.look(fresh, LANG) | {
            "messages": TextSignature.objects.count(),
            "signature_p95_ms": _p95(minhash.signature, fresh),
            "find_new_p50_ms": _p50(_find, fresh),
            "find_new_p95_ms": _p95(_find, fresh),
            "find_known_p50_ms": _p50(_find, again),
            "find_known_p95_ms": _p95(_find, again),
            "found_again": round(sum(bool(_find(text)) for text in again) / requests, 3),
            "index_p95_ms": _p95(_index, _new_messages(fresh)),
            "table_mib": _mib("tasks_app_textsignature"),
            "index_mib": _mib("textsignature_bands"),
        }


def _index(message: Message) -> None:
    """What the job after a submit does."""
    similar.index([message])


def _find(text: str) -> list[similar.Likeness]:
    return similar.find(text, LANG)


def _p50(act: Callable[[Any], Any], given: list) -> float:
    return percentile_ms([seconds_of(lambda each=each: act(each)) for each in given], 0.5)


def _p95(act: Callable[[Any], Any], given: list) -> float:
    return percentile_ms([seconds_of(lambda each=each: act(each)) for each in given], 0.95)


def _published(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return [text for text in texts if len(minhash.plain(text)) >= similar.LEAST_CHARACTERS]


def _store_strangers() -> None:
    """Signatures of texts that nobody knows: to the index, numbers like any."""
    sql.fill(
        TextSignature,
        "FROM tasks_app_message m",
        message_id="m.id",
        bands="""(SELECT array_agg(hashtext(m.id::text || n)) FROM generate_series(1, 16) n)""",
        brief="decode(md5(m.id::text) || md5(m.text) || md5('a' || m.id::text) || md5('b'), 'hex')",
    )


def _store(texts: list[str]) -> list[str]:
    """Give some of the messages published texts, with their signatures."""
    ids = Message.objects.order_by("pk").values_list("pk", flat=True)[: len(texts)]
    for pk, text in zip(ids, texts, strict=True):
        signature = minhash.signature(text)
        keys, brief = minhash.keys(signature, LANG), minhash.brief(signature)
        TextSignature.objects.filter(pk=pk).update(bands=keys, brief=brief)
    return texts


def _new_messages(texts: list[str]) -> list[Message]:
    """Messages that have no signature yet."""
    found = list(Message.objects.order_by("-pk")[: len(texts)])
    TextSignature.objects.filter(pk__in=[message.pk for message in found]).delete()
    for message, text in zip(found, texts, strict=True):
        message.text, message.lang, message.created_at = text, LANG, timezone.now()
    return found


def _changed(text: str, rng: random.Random) -> str:
    """The text with one place typed anew."""
    width = min(CHANGED, len(text) // 20)
    place = rng.randrange(len(text) - width)
    return text[:place] + "~" * width + text[place + width :]


def _mib(relation: str) -> int:
    return round(sql.run("SELECT pg_relation_size(%s)", relation)[0][0] / 2**20)
