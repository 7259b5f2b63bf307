"""Phrases that few people use again and again and that decide which reply wins. Pure.

Whoever wants a model to praise one thing plants its name in replies that are ranked first, or that
are ranked last. What many people say, or what says nothing about ranks, is style.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LONGEST = 3  # words
BUCKETS = 1 << 22
_BASE = np.uint64(1_000_003)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Reply:
    """One answer that people could rank. Replies of one `prompt` were ranked together."""

    id: str
    author: str
    tree: str
    prompt: str
    text: str
    lang: str
    rank: int | None


@dataclass(frozen=True)
class PhraseRules:
    """When a phrase is suspicious."""

    trees: int = 4  # in so many trees at least
    hands: int = 5  # so many people, or 1 % of all of a language if these are more,
    share: float = 0.8  # wrote so much of it,
    repeats: float = 1.7  # so often each on average,
    lift: float = 6.0  # which is so many times their share of all replies
    pairs: int = 6  # so often one reply had it and the other not
    decided: float = 0.85  # and so often the same side won


@dataclass
class _Use:
    """Who wrote a phrase, and in which trees."""

    authors: Counter[str] = field(default_factory=Counter)
    trees: set[str] = field(default_factory=set)


Read = Callable[[], Iterable[Reply]]
Phrase = tuple[str, str]  # language, words


def suspicious(read: Read, rules: PhraseRules) -> dict[str, str]:
    """Replies by id, each with the phrase for which it is suspected.

    `read` gives the replies, those of one prompt together, as often as it is called. Only replies
    of the few hands are named: others may have said the same by chance. Memory holds the phrases
    that occur in several replies but are not common.
    """
    written: dict[str, Counter[str]] = defaultdict(Counter)  # replies by language and author
    frequent = _Frequent(rules.trees)
    for reply in read():
        written[reply.lang][reply.author] += 1
        frequent.count(reply)
    hands = {lang: max(rules.hands, len(authors) // 100) for lang, authors in written.items()}
    few = {
        key: found
        for key, use in _uses(read, frequent, hands, rules).items()
        if (found := _few_hands(use, written[key[0]], hands[key[0]], rules))
    }
    if not few:
        return {}
    return _named(read, frequent, few, _decisive(read, frequent, few, rules))


class _Frequent:
    """Knows, in a fixed amount of memory, which phrases may occur in at least `least` replies."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._counts = np.zeros(BUCKETS, dtype=np.uint32)

    def count(self, reply: Reply) -> None:
        buckets = [found for _, found in self._buckets(reply, _WORD.findall(reply.text.casefold()))]
        if buckets:
            self._counts[np.unique(np.concatenate(buckets))] += 1

    def phrases(self, reply: Reply) -> set[Phrase]:
        """Those of one to LONGEST words that are not rare, each once."""
        words = _WORD.findall(reply.text.casefold())
        return {
            (reply.lang, " ".join(words[start : start + size]))
            for size, buckets in self._buckets(reply, words)
            for start in np.flatnonzero(self._counts[buckets] >= self._least)
        }

    def _buckets(self, reply: Reply, words: list[str]) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """For each size, the bucket of the phrase that begins at each word."""
        codes = np.array([_code(word) for word in words], dtype=np.uint64)
        for size in range(1, min(LONGEST, len(words)) + 1):
            mixed = np.full(len(words) - size + 1, _code(reply.lang), dtype=np.uint64)
            for place in range(size):
                mixed = mixed * _BASE + codes[place : place + len(mixed)]
            yield size, (mixed % np.uint64(BUCKETS)).astype(np.intp)


@lru_cache(maxsize=1 << 16)
def _code(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


def _uses(
    read: Read, frequent: _Frequent, hands: dict[str, int], rules: PhraseRules
) -> dict[Phrase, _Use]:
    """The phrases that occur often enough, but are not said by many."""
    uses: dict[Phrase, _Use | None] = {}
    for reply in read():
        for phrase in frequent.phrases(reply):
            use = uses[phrase] if phrase in uses else uses.setdefault(phrase, _Use())
            if use is None:  # many say it
                continue
            use.authors[reply.author] += 1
            use.trees.add(reply.tree)
            if len(use.authors) > 4 * hands[reply.lang]:
                uses[phrase] = None
    return {phrase: use for phrase, use in uses.items() if use and len(use.trees) >= rules.trees}


def _few_hands(
    use: _Use, written: Counter[str], hands: int, rules: PhraseRules
) -> frozenset[str] | None:
    """The few who wrote nearly all of it, if they did not write nearly all there is."""
    top = sorted(use.authors.items(), key=lambda row: (-row[1], row[0]))[:hands]
    times = sum(count for _, count in top)
    share = times / use.authors.total()
    usual = sum(written[author] for author, _ in top) / written.total()
    is_repeated = times >= rules.repeats * len(top)
    if is_repeated and share >= rules.share and share >= rules.lift * usual:
        again = frozenset(author for author, count in top if count > 1)
        by_them = sum(use.authors[author] for author in again)
        # Once may be chance, unless hardly anybody says it but those who do so again and again.
        return frozenset(use.authors) if by_them >= rules.share * use.authors.total() else again
    return None


def _decisive(
    read: Read, frequent: _Frequent, few: dict[Phrase, frozenset[str]], rules: PhraseRules
) -> set[Phrase]:
    """Phrases with which replies win, or lose, nearly always."""
    won: Counter[Phrase] = Counter()
    lost: Counter[Phrase] = Counter()
    for siblings in _together(read()):
        ranked = [
            (r.rank, frequent.phrases(r) & few.keys()) for r in siblings if r.rank is not None
        ]
        ranked.sort(key=lambda row: row[0])
        for place, (rank, better) in enumerate(ranked):
            for other, worse in ranked[place + 1 :]:
                if rank != other:
                    won.update(better - worse)
                    lost.update(worse - better)
    return {
        phrase
        for phrase in few
        if (pairs := won[phrase] + lost[phrase]) >= rules.pairs
        and max(won[phrase], lost[phrase]) >= rules.decided * pairs
    }


def _together(replies: Iterable[Reply]) -> Iterator[list[Reply]]:
    siblings: list[Reply] = []
    for reply in replies:
        if siblings and reply.prompt != siblings[0].prompt:
            yield siblings
            siblings = []
        siblings.append(reply)
    if siblings:
        yield siblings


def _named(
    read: Read, frequent: _Frequent, few: dict[Phrase, frozenset[str]], found: set[Phrase]
) -> dict[str, str]:
    named = {}
    for reply in read():
        mine = {p for p in frequent.phrases(reply) & found if reply.author in few[p]}
        if mine:
            # The longest says most.
            named[reply.id] = max(mine, key=lambda phrase: (len(phrase[1]), phrase))[1]
    return named
