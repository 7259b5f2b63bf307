"""Trains a model that tells spam from other texts, and measures it on texts it never saw. Pure.

The texts come in three parts: to learn from, to choose by, and to measure on. Texts that are nearly
the same and texts of one person are all in one part: else a model that knows a campaign, or a
person, by heart would look good.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tasks_app import minhash, spam_scores
from tasks_app.spam_scores import Features, Weights
from training.win_rate import wilson

LEAST_SPAM, LEAST_OTHER = 100, 400  # different texts
LEAST_IN_A_PART = 15
LEAST_RECALL = 0.3
ALIKE = 0.5  # of the shingles of two texts: they are one campaign
# Of all texts: learned from, the threshold chosen by, measured on.
SHARES = (0.5, 0.25, 0.25)


class CannotTrain(ValueError):
    """There is too little to learn from, or what was learned helps nobody."""


@dataclass(frozen=True)
class Example:
    """A text of which somebody said whether it is spam; `author` as far as that is known."""

    text: str
    is_spam: bool
    source: str
    author: str = ""


@dataclass(frozen=True)
class Trained:
    """Texts that score `threshold` or more are held."""

    weights: Weights
    threshold: float
    figures: dict[str, Any]


@dataclass(frozen=True)
class _Known:
    example: Example
    features: Features


Part = Sequence[_Known]


def train(examples: Iterable[Example], *, wanted: float, rng: random.Random) -> Trained:
    """A model that holds about the share `wanted` of texts that are no spam. Raises CannotTrain."""
    known = prepare(examples)
    learn, choose, measure = split(groups_of(known), rng=rng)
    weights = fit(learn, rng=rng)
    threshold = choose_threshold(weights, choose, wanted)
    measured = measure_on(weights, threshold, measure)
    if measured["recall"] < LEAST_RECALL:
        raise CannotTrain(
            f"At {wanted:.2%} of other texts held, the model finds {measured['recall']:.0%} of "
            f"{measured['spam']} spam texts that it never saw: too few to help (below "
            f"{LEAST_RECALL:.0%}). Give more texts, or allow more to be held with --rate."
        )
    parts = {"learn": _sizes(learn), "choose": _sizes(choose), "measure": _sizes(measure)}
    counts = {name: {"spam": spam, "other": other} for name, (spam, other) in parts.items()}
    return Trained(weights, threshold, {"wanted": wanted, "parts": counts, **measured})


def prepare(examples: Iterable[Example]) -> list[_Known]:
    """Each text once, with its features; what somebody called spam is spam. Raises CannotTrain."""
    once: dict[str, Example] = {}
    for example in examples:
        plain = minhash.plain(example.text)
        if plain and (plain not in once or example.is_spam > once[plain].is_spam):
            once[plain] = example
    spam = sum(example.is_spam for example in once.values())
    other = len(once) - spam
    if spam < LEAST_SPAM or other < LEAST_OTHER:
        raise CannotTrain(
            f"{spam} different spam texts and {other} others are too few to learn from and to "
            f"measure on: {LEAST_SPAM} and {LEAST_OTHER} at least. Give files with more."
        )
    return [_Known(each, spam_scores.features(each.text)) for each in once.values()]


def split(groups: Iterable[Part], *, rng: random.Random) -> tuple[Part, Part, Part]:
    """Three parts in about the `SHARES`, of spam and of other texts. Raises CannotTrain."""
    parts: tuple[list[_Known], ...] = ([], [], [])
    groups = list(groups)
    rng.shuffle(groups)
    groups.sort(key=len, reverse=True)
    for has_spam in (True, False):
        filled = [0.0] * len(parts)
        for group in groups:
            if any(each.example.is_spam for each in group) == has_spam:
                emptiest = min(range(len(parts)), key=lambda n: filled[n] / SHARES[n])
                parts[emptiest].extend(group)
                filled[emptiest] += len(group)
    for part in parts:
        if min(_sizes(part)) < LEAST_IN_A_PART:
            raise CannotTrain(
                "Too many texts are nearly the same, or by one person: kept together, they leave "
                "too few to learn from or to measure on. Give files with more."
            )
    return parts[0], parts[1], parts[2]


def groups_of(known: Part) -> list[list[_Known]]:
    """Texts that belong in one part: of one person, or nearly the same but for numbers."""
    signatures = [minhash.signature(re.sub(r"\d", "0", each.example.text)) for each in known]
    first: dict[Any, int] = {}
    belongs = list(range(len(known)))

    def find(number: int) -> int:
        while belongs[number] != number:
            belongs[number] = number = belongs[belongs[number]]
        return number

    for number, each in enumerate(known):
        if each.example.author:
            belongs[find(number)] = find(first.setdefault(each.example.author, number))
        for band in minhash.bands(signatures[number]):
            other = first.setdefault(band, number)
            if float((signatures[number] == signatures[other]).mean()) >= ALIKE:
                belongs[find(number)] = find(other)
    groups: dict[int, list[_Known]] = defaultdict(list)
    for number, each in enumerate(known):
        groups[find(number)].append(each)
    return list(groups.values())


def fit(part: Part, *, rng: random.Random) -> Weights:
    """What the weights learn from one part."""
    return spam_scores.learn(
        [each.features for each in part], [each.example.is_spam for each in part], rng=rng
    )


def choose_threshold(weights: Weights, part: Part, wanted: float) -> float:
    """The least score from which on no more than the share `wanted` of other texts is held."""
    others = sorted(
        (spam_scores.score(weights, each.features) for each in part if not each.example.is_spam),
        reverse=True,
    )
    held = int(wanted * len(others))
    return (others[held - 1] + others[held]) / 2 if held else (others[0] + 1) / 2


def measure_on(weights: Weights, threshold: float, part: Part) -> dict[str, Any]:
    """Recall and false positives with their intervals of 95 %, and false positives by source."""
    held = [spam_scores.score(weights, each.features) >= threshold for each in part]
    spam, other = _sizes(part)
    found = sum(h and each.example.is_spam for h, each in zip(held, part, strict=True))
    wrong = sum(held) - found
    sources = Counter(each.example.source for each in part if not each.example.is_spam)
    wrong_in = Counter(
        each.example.source
        for h, each in zip(held, part, strict=True)
        if h and not each.example.is_spam
    )
    return {
        "spam": spam,
        "other": other,
        "recall": found / spam,
        "recall_between": wilson(found, spam),
        "false_positives": wrong / other,
        "false_positives_between": wilson(wrong, other),
        "false_positives_in": {
            name: {"texts": n, "held": wrong_in[name]} for name, n in sorted(sources.items())
        },
    }


def _sizes(part: Part) -> tuple[int, int]:
    """How many texts of a part are spam, and how many are not."""
    spam = sum(each.example.is_spam for each in part)
    return spam, len(part) - spam
