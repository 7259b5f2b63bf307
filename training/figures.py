"""Figures of an evaluation, each with its number of cases and an interval. Pure.

Intervals are bootstrapped over clusters (trees or prompts), whose members are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: `confidence` of the `draws` lie inside (percentile method)."""

    draws: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def counts(self, clusters: Sequence[str]) -> tuple[NDArray[np.int64], Array]:
        """The cluster of each row (N,), and how often each draw took each cluster (draws, C)."""
        names, members = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
        rng = np.random.default_rng(self.seed)
        size = max(len(names), 1)
        taken = rng.multinomial(size, np.full(size, 1 / size), size=self.draws)
        return members.astype(np.int64), taken.astype(np.float64)

    def interval(self, drawn: Array) -> tuple[float, float]:
        edge = (1 - self.confidence) / 2
        known = drawn[np.isfinite(drawn)]
        if not len(known):
            return float("nan"), float("nan")
        low, high = np.quantile(known, [edge, 1 - edge])
        return float(low), float(high)


@dataclass(frozen=True)
class Figure:
    """A number that may be said aloud. `n` counts what was judged, not the clusters."""

    value: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold: None where too little data gives no number."""
        return {
            name: None if isinstance(value, float) and not isfinite(value) else value
            for name, value in asdict(self).items()
        }


def ratio(
    above: Sequence[float] | Array,
    below: Sequence[float] | Array,
    clusters: Sequence[str],
    how: Bootstrap,
    *,
    n: int | None = None,
    then: Callable[[Array], Array] = lambda values: values,
) -> Figure:
    """Sum of `above` over sum of `below`, such as loss per token or a weighted mean.

    `then` is applied to the ratio, such as exp for a perplexity.
    """
    members, taken = how.counts(clusters)
    size = taken.shape[1]
    a = np.bincount(members, np.asarray(above, dtype=float), minlength=size)
    b = np.bincount(members, np.asarray(below, dtype=float), minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = then(np.asarray([a.sum() / b.sum()]))[0]
        drawn = then((taken @ a) / (taken @ b))
    return Figure(float(value), *how.interval(drawn), len(members) if n is None else n)


def mean(
    values: Sequence[float] | Array,
    clusters: Sequence[str],
    how: Bootstrap,
    *,
    weights: Sequence[float] | Array | None = None,
) -> Figure:
    """The mean, weighted if asked, with the interval over clusters."""
    share = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
    return ratio(np.asarray(values, dtype=float) * share, share, clusters, how)


def endings(
    before: Mapping[str, Sequence[float]],
    after: Mapping[str, Sequence[float]],
    clusters: Sequence[str],
    how: Bootstrap,
) -> dict[str, Any]:
    """How answers to the same prompts end, and how long they are: `{"ended", "length"}` of each.

    `ended` is the share that came to an end by itself, `length_ratio` the mean length after over
    that before.
    """
    less = np.asarray(after["ended"], dtype=float) - np.asarray(before["ended"], dtype=float)
    found = {
        "ended_before": mean(before["ended"], clusters, how),
        "ended": mean(after["ended"], clusters, how),
        "ended_change": mean(less, clusters, how),
        "length_ratio": ratio(after["length"], before["length"], clusters, how),
    }
    return {name: figure.to_dict() for name, figure in found.items()}


def language_model(rows: Rows, how: Bootstrap, *, before: Rows | None = None) -> dict[str, Any]:
    """Loss in nats per token and perplexity; `before` are the same rows before training.

    A row is `{"tree", "loss", "tokens"}`, the loss summed over the tokens.
    """
    trees = [row["tree"] for row in rows]
    loss = [row["loss"] for row in rows]
    tokens = [row["tokens"] for row in rows]
    found: dict[str, Any] = {
        "n": len(rows),
        "trees": len(set(trees)),
        "tokens": sum(tokens),
        "loss": ratio(loss, tokens, trees, how).to_dict(),
        "perplexity": ratio(loss, tokens, trees, how, then=np.exp).to_dict(),
    }
    if before is not None:
        was = [row["loss"] for row in before]
        less = np.asarray(loss) - np.asarray(was)
        found["loss_before"] = ratio(was, tokens, trees, how).to_dict()
        found["loss_change"] = ratio(less, tokens, trees, how).to_dict()
    return found
