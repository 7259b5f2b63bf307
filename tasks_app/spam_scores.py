"""Tells spam from other texts by what they are made of: features, a linear model, how it learns.
Pure.

A model is a weight for each feature. Weights are stored: raise `VERSION` when features change.
"""

from __future__ import annotations

import math
import random
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

VERSION = 1
MOST_CHARACTERS = 4000  # what follows is not looked at
# Runs of characters, and words, each share so many slots, by hash.
RUN_BITS, WORD_BITS = 17, 15
LONGEST_RUN = 5
_BASE = np.uint64(1_000_003)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing: the upper bits depend on all
_WORD = re.compile(r"\w+|[£$€!?]")
_MARKS = (
    re.compile(r"[£$€]\s?\d"),
    re.compile(r"\d{5}"),
    re.compile(r"https?:|www\.|\.co\b|\.com|\.uk"),
)
_FIRST_SIGN = 2**RUN_BITS + 2**WORD_BITS
SIZE = _FIRST_SIGN + len(_MARKS) + 5
# Of the learning; quality hardly depends on them, see docs/experiments.md.
COST, ROUNDS, NEAR_ENOUGH = 1.0, 10, 1e-2

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """What a text is made of: places in the weights, each once, and how much of each; (k,)."""

    places: NDArray[np.int32]
    values: Weights


def features(text: str) -> Features:
    """Runs of 2 to 5 characters, words and pairs of words, each once, and a few signs of spam.

    Digits are all alike. Runs and words count by the logarithm of how often they stand, together 1
    in length each, so that long texts weigh no more than short ones.
    """
    text = text[:MOST_CHARACTERS]
    plain = re.sub(r"\d", "0", " ".join(text.lower().split()))
    runs, words = _counted(_runs(plain)), _counted(_words(plain))
    signs = np.array(_signs(text), dtype=np.float32) / 2
    places = np.concatenate(
        [runs.places, words.places, np.arange(_FIRST_SIGN, SIZE, dtype=np.int32)]
    )
    return Features(places, np.concatenate([runs.values, words.values, signs]))


def _runs(plain: str) -> NDArray[np.int32]:
    """Slots of the runs of characters, with a space before the text and one behind it."""
    padded = f" {plain} "
    encoded = padded.ljust(len(padded) + LONGEST_RUN).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(encoded, dtype=np.uint32).astype(np.uint64)
    hashed, found = codes[: len(padded)], []
    for length in range(2, LONGEST_RUN + 1):
        hashed = hashed * _BASE + codes[length - 1 :][: len(padded)]
        found.append(hashed[: max(0, len(padded) - length + 1)])
    slots = (np.concatenate(found) * _MIX) >> np.uint64(64 - RUN_BITS)
    return slots.astype(np.int32)


def _words(plain: str) -> NDArray[np.int32]:
    """Slots of the words, and of each two that stand together."""
    words = _WORD.findall(plain)
    pairs = [f"{one} {other}" for one, other in pairwise(words)]
    encoded = (each.encode(errors="surrogatepass") for each in words + pairs)
    slots = [2**RUN_BITS + zlib.crc32(each) % 2**WORD_BITS for each in encoded]
    return np.array(slots, dtype=np.int32)


def _counted(slots: NDArray[np.int32]) -> Features:
    places, counts = np.unique(slots, return_counts=True)
    values = 1 + np.log(counts)
    return Features(places, (values / max(1.0, float(np.linalg.norm(values)))).astype(np.float32))


def _signs(text: str) -> list[float]:
    """Money, long numbers, addresses; how much is digits, capitals, shouting; how long it is. The
    last is the same for all: what a model gives to every text."""
    length, words = max(len(text), 1), max(len(text.split()), 1)
    return [
        *(float(bool(mark.search(text))) for mark in _MARKS),
        sum(map(str.isdigit, text)) / length * 5,
        sum(map(str.isupper, text)) / length * 2,
        text.count("!") / words * 3,
        min(length, 160) / 160,
        1.0,
    ]


def score(weights: Weights, found: Features) -> float:
    """From 0 to 1, more for what is like spam: an order, no probability. Weights: (SIZE,)."""
    margin = float(weights[found.places] @ found.values)
    return 1 / (1 + math.exp(-2 * max(-50.0, min(50.0, margin))))


def learn(texts: Sequence[Features], is_spam: Sequence[bool], *, rng: random.Random) -> Weights:
    """(SIZE,): a linear support vector machine in which spam and the rest weigh the same.

    Dual coordinate descent with squared hinge loss. Needs texts of both kinds. Source: Hsieh,
    Chang, Lin, Keerthi, Sundararajan 2008, algorithm 1.
    """
    share = sum(is_spam) / len(is_spam)
    signs = [1 if each else -1 for each in is_spam]
    slack = [(share if each else 1 - share) / COST for each in is_spam]
    lengths = [float(each.values @ each.values) for each in texts]
    weights, pull = np.zeros(SIZE), [0.0] * len(texts)
    order = list(range(len(texts)))
    for _round in range(ROUNDS):
        rng.shuffle(order)
        largest = 0.0
        for n in order:
            places, values = texts[n].places, texts[n].values
            slope = signs[n] * float(weights[places] @ values) - 1 + pull[n] * slack[n]
            step = max(-pull[n], -slope / (lengths[n] + slack[n]))
            if step:
                pull[n] += step
                weights[places] += step * signs[n] * values
                largest = max(largest, abs(step))
        if largest < NEAR_ENOUGH:
            break
    return weights.astype(np.float32)
