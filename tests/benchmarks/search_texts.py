"""Texts whose words are as rare and as common as wanted, in twenty languages.

Each message is a few sentences of the demonstration in its language, and some made-up words: the
k-th is in 0.9 of k messages, down to those that are in one of a million.
"""

import re

from tasks_app.demo import content
from tests.benchmarks import sql
from tests.benchmarks.collection import LANGS

WORDS = 1_000_000
JOINED = ("zh", "ja", "th")  # no blanks between words
_LETTERS = str.maketrans("0123456789", "aeioubdfgk")
# Languages without sentences of their own borrow those of another.
_BORROWED = {"pt-BR": "pt-BR", "ja": "zh", "th": "zh", "uk-UA": "ru"}
_RANK = f"floor(power({WORDS}, random()))::bigint"
TEXT = f"""(
    SELECT string_agg(s.list[1 + floor(random() * cardinality(s.list))::int], ' ')
    FROM bench_sentence s, generate_series(1, 2 + m.n %% 3) WHERE s.lang = m.lang
) || ' ' || CASE WHEN m.lang = ANY('{{{",".join(JOINED)}}}') THEN (
    SELECT string_agg(
        chr((19968 + k * 7919 %% 20000)::int) || chr((19968 + k * 104729 %% 20000)::int), '，')
    FROM (SELECT {_RANK} AS k FROM generate_series(1, 12 + m.n %% 2)) drawn
) ELSE (
    SELECT string_agg('q' || translate(k::text, '0123456789', 'aeioubdfgk') || 'q', ' ')
    FROM (SELECT {_RANK} AS k FROM generate_series(1, 12 + m.n %% 2)) drawn
) END"""


def prepare() -> dict[str, list[str]]:
    """Store the sentences for `TEXT`, and give them by language."""
    found: dict[str, list[str]] = {}
    for story in content.stories():
        for line, _parent, _role in story.lines():
            found.setdefault(story.lang, []).extend(_sentences(line.text))
    by_lang = {lang: found.get(lang) or found[_BORROWED.get(lang, "es")] for lang in LANGS}
    sql.run("CREATE TEMPORARY TABLE bench_sentence (lang text PRIMARY KEY, list text[])")
    for lang, sentences in by_lang.items():
        sql.run("INSERT INTO bench_sentence VALUES (%s, %s)", lang, sentences)
    return by_lang


def word(rank: int, lang: str) -> str:
    """The made-up word that is the `rank`-th most common."""
    if lang in JOINED:
        return chr(19968 + rank * 7919 % 20000) + chr(19968 + rank * 104729 % 20000)
    return "q" + str(rank).translate(_LETTERS) + "q"


def _sentences(text: str) -> list[str]:
    return [each.strip() for each in re.split(r"(?<=[.!?。！？])\s*|\n+", text) if len(each) > 12]
