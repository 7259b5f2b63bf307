"""How long the page of chats takes to answer the searches of a person with very many, beside the
chats of everybody else: as the person waits, and as the processor works for it.
"""

import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.test import Client
from django.utils import timezone

from chat_app import jobs
from chat_app.enums import MessageState, Role
from chat_app.models import Chat, ChatMessage
from oasst.accounts.models import User
from oasst.lib import database
from tests.benchmarks import search_texts, searching, sql
from tests.benchmarks.searching import LANGS, Times, Words, every, figures
from tests.benchmarks.timing import worked_s

MESSAGES_A_CHAT = 10
# Everybody else has so many chats each.
CHATS_OF_OTHERS = 50
# Of each chat, from its number in the rows of `m`.
_CHAT = "('00000000-0000-4000-8000-' || lpad(to_hex({}), 12, '0'))::uuid"
_MESSAGE = "('10000000-0000-4000-8000-' || lpad(to_hex({}), 12, '0'))::uuid"


def measure(
    chats: int, messages: int, requests: int, *, say: Callable[..., None]
) -> dict[str, Any]:
    """Build a database: one person with so many chats, and so many messages of others."""
    others = -(-messages // MESSAGES_A_CHAT)
    with database.scratch("benchmark"):
        started = time.perf_counter()
        sentences = search_texts.prepare()
        _build(chats, others)
        say(f"built {chats + others:,} chats in {time.perf_counter() - started:.0f} s")
        found = {"chats": chats, "messages_of_others": messages, "filling": _fill()}
        say("filling", found["filling"])
        return found | _look(sentences, requests, say=say)


def _build(chats: int, others: int) -> None:
    """Chats in three languages, as a release before `lang` left them."""
    people = [User.objects.create(email=f"{n}@example.org") for n in range(_people(others) + 1)]
    with sql.unchecked(), sql.without_indexes(Chat, ChatMessage):
        sql.run(
            "CREATE TEMPORARY TABLE bench_person AS"
            " SELECT * FROM unnest(%s::uuid[]) WITH ORDINALITY AS p(id, place)",
            [person.pk for person in people],
        )
        sql.fill(
            Chat,
            f"""FROM generate_series(0, {chats + others - 1}) n JOIN bench_person p ON p.place =
            CASE WHEN n < {chats} THEN 1 ELSE 2 + (n - {chats}) / {CHATS_OF_OTHERS} END""",
            id=_CHAT.format("n"),
            user_id="p.id",
            title="'Chat ' || n",
            created_at="now() - n * interval '1 hour'",
            modified_at="now() - n * interval '1 hour'",
        )
        _fill_messages((chats + others) * MESSAGES_A_CHAT)
        sql.run("UPDATE chat_app_chatmessage SET search_vector = to_tsvector('simple', text)")
    sql.run("VACUUM (ANALYZE) chat_app_chat, chat_app_chatmessage")


def _people(chats: int) -> int:
    return -(-chats // CHATS_OF_OTHERS)


def _fill_messages(count: int) -> None:
    """Prompts and replies in turn; replies say three times as much."""
    langs = ", ".join(f"'{lang}'" for lang in LANGS)
    text = search_texts.TEXT
    sql.fill(
        ChatMessage,
        f"""FROM (
            SELECT n, (ARRAY[{langs}])[1 + n / {MESSAGES_A_CHAT} % {len(LANGS)}] AS lang
            FROM generate_series(0, {count - 1}) n) m""".replace("%", "%%"),
        id=_MESSAGE.format("m.n"),
        chat_id=_CHAT.format(f"m.n / {MESSAGES_A_CHAT}"),
        parent_id=f"CASE WHEN m.n %% {MESSAGES_A_CHAT} > 0 THEN {_MESSAGE.format('m.n - 1')} END",
        depth=f"m.n %% {MESSAGES_A_CHAT}",
        role=f"CASE m.n %% 2 WHEN 0 THEN '{Role.PROMPTER}' ELSE '{Role.ASSISTANT}' END",
        state=f"'{MessageState.DONE}'",
        text=f"{text} || CASE m.n %% 2 WHEN 0 THEN '' ELSE ' ' || {text} || ' ' || {text} END",
        created_at="now() - m.n * interval '1 minute'",
        finished_at="CASE m.n %% 2 WHEN 1 THEN now() END",
        search_vector="''::tsvector",
    )


def _fill() -> dict[str, float]:
    """How long the job takes that gives older messages the words of their language."""
    before = _size()
    started, worked = time.perf_counter(), worked_s()
    while Chat.objects.filter(lang=None).exists():
        jobs.fill_search_words()
    found = {"wait_s": time.perf_counter() - started, "work_s": worked_s() - worked}
    sql.run("VACUUM (ANALYZE) chat_app_chat, chat_app_chatmessage")
    sizes = {"index_mib_before": before, "index_mib": _size()}
    return {name: round(value, 1) for name, value in (found | sizes).items()}


def _size() -> float:
    rows = sql.run("SELECT pg_relation_size('chatmessage_search') / 1048576.0")
    return float(rows[0][0])


def _look(sentences: dict[str, list[str]], requests: int, *, say: Callable) -> dict[str, Any]:
    """The figures of each sort of search, and of all."""
    web = _owner()
    sorts = _sorts(Words(sentences, random.Random(11)))
    found, times = searching.look(sorts, partial(_answer, web), requests, say=say)
    return found | {"all": figures(times)}


def _sorts(words: Words) -> dict[str, Iterator[str]]:
    """Searches without end, by sort."""
    made_up = words.made_up
    return {
        "rare_words": every(lambda: made_up(10_000, 1_000_000)),
        "words_in_one_of_a_hundred": every(lambda: made_up(30, 300)),
        "common_words": every(lambda: made_up(1, 10)),
        "words_of_sentences": every(words.said),
        "phrases": every(lambda: f'"{words.said()}"'),
        "or_and_minus": every(words.either_without),
        "chinese_character": every(words.character),
    }


def _answer(web: Client, words: str) -> Times:
    return searching.answer(web, f"/chat/?{urlencode({'q': words})}")


def _owner() -> Client:
    """The person with very many chats, signed in."""
    owner = User.objects.get(email="0@example.org")
    owner.contribution_languages = list(LANGS)
    owner.tos_version, owner.tos_accepted_at = settings.TOS_VERSION, timezone.now()
    owner.save()
    web = Client()
    web.force_login(owner)
    web.get("/chat/?q=warm")  # the first request pays for what is made once
    return web
