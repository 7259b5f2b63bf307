"""Which topics a text seems to have, by words that tell of them. Pure.

The words stand in `topic_words/`, a file a language and one for all. A suggestion, for people to
correct: it says by which words it came about.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import yaml

from oasst.lib.characters import JOINED_LANGS

FOLDER = Path(__file__).parent / "topic_words"
EVERYWHERE = "any"
WEIGHTS = {"sure": 2, "likely": 1}  # what a word of each list counts
ENOUGH = 2
# A topic with far fewer words than the first is rarely what a text is about.
SHARE_OF_THE_FIRST = 0.5
# What a text is about stands at its beginning, and a suggestion has to come at once.
LONGEST = 4000
_WORD = re.compile(r"\w+")
# Arabic writes "and", "for", "the" … in one with the word, and leaves vowels out or not.
_ARABIC_BEFORE = re.compile(r"(?:[وف]?(?:بال|كال|ال|لل|ب|ل)?)(?=\w{2})")
_ARABIC_VOWELS = re.compile(r"[\u064b-\u0652\u0640]")


@dataclass(frozen=True)
class Suggestion:
    """A topic and the words that tell of it."""

    topic: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A word of a list: `word`, `word*` with any ending, or several with a space between."""

    topic: str
    weight: int
    word: str


@dataclass
class _Words:
    """The lists of a language, so arranged that few of their words have to be tried."""

    whole: dict[str, list[Entry]] = field(default_factory=dict)
    stems: dict[str, list[Entry]] = field(default_factory=dict)
    others: list[tuple[str, re.Pattern[str], Entry]] = field(default_factory=list)

    def found_in(self, text: str, words: Iterable[str]) -> Iterator[Entry]:
        """The entries that stand in a text."""
        for word in words:
            yield from self.whole.get(word, ())
            for end in range(2, len(word) + 1):
                yield from self.stems.get(word[:end], ())
        for part, pattern, entry in self.others:
            if part in text and pattern.search(text):
                yield entry


def suggest(text: str, lang: str, *, most: int = 3) -> list[Suggestion]:
    """The topics of a text, the likeliest first; none for languages without a list, as a rule.

    Beside the first, only topics with a sure word.
    """
    text = " ".join(_ARABIC_VOWELS.sub("", text[:LONGEST]).lower().split())
    lang = lang.partition("-")[0].lower()
    words = set(_WORD.findall(text))
    if lang == "ar":
        words |= {_ARABIC_BEFORE.sub("", word, count=1) for word in words}
    found: dict[str, set[Entry]] = {}
    for name in (EVERYWHERE, lang):
        for entry in _words_of(name).found_in(text, words):
            found.setdefault(entry.topic, set()).add(entry)
    return _chosen(found)[:most]


def _chosen(found: dict[str, set[Entry]]) -> list[Suggestion]:
    score = {topic: sum(entry.weight for entry in each) for topic, each in found.items()}
    names = sorted(score, key=lambda topic: (-score[topic], topic))
    least = max(ENOUGH, SHARE_OF_THE_FIRST * max(score.values(), default=0))
    sure = {t for t, each in found.items() if any(e.weight == WEIGHTS["sure"] for e in each)}
    return [
        Suggestion(topic, tuple(sorted(entry.word for entry in found[topic])))
        for topic in names
        if score[topic] >= least and (topic in sure or topic == names[0])
    ]


def entries(lang: str) -> Iterator[Entry]:
    """The lists of a language; nothing if there is no file for it."""
    path = FOLDER / f"{lang}.yaml"
    if not re.fullmatch(r"[a-z]{2,3}", lang) or not path.exists():
        return
    for topic, lists in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        for name, words in lists.items():
            for word in words:
                yield Entry(topic, WEIGHTS[name], str(word).lower().strip())


@lru_cache
def _words_of(lang: str) -> _Words:
    made = _Words()
    edge = "" if lang in JOINED_LANGS else r"[a-z0-9_]" if lang == EVERYWHERE else r"\w"
    for entry in entries(lang):
        stem = entry.word.removesuffix("*")
        if edge == r"\w" and _WORD.fullmatch(stem):
            place = made.whole if stem == entry.word else made.stems
            place.setdefault(stem, []).append(entry)
        else:
            part = max(entry.word.split("*"), key=len)
            made.others.append((part, _pattern(entry.word, edge), entry))
    return made


def _pattern(word: str, edge: str) -> re.Pattern[str]:
    inside = re.escape(word).replace(r"\*", r"\w*")
    return re.compile(f"(?<!{edge}){inside}(?!{edge})" if edge else inside)
