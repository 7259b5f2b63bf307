"""Estimates with their intervals, and what may be said of few people. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh

Z = 1.959964  # 95 % of a normal distribution lie within so many deviations
# Nothing is said about fewer people than this.
FEWEST_PEOPLE = 10
# Shares, means and correlations need this many label sets.
FEWEST_LABELS = 20


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval, from `n` cases."""

    value: float
    low: float
    high: float
    n: int


def share(count: int, n: int) -> Estimate | None:
    """A share with Wilson's interval."""
    return Estimate(count / n, *wilson(count / n, n), n) if n else None


def wilson(p: float, n: int, *, z: float = Z) -> tuple[float, float]:
    """The score interval of a share `p` of n > 0 cases. Source: Wilson 1927, equation 4."""
    z2 = z * z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def mean(counts: Sequence[int], values: Sequence[float]) -> Estimate | None:
    """The mean of values that occur `counts` times, with the interval of the normal law."""
    n = sum(counts)
    if n < 2:
        return None
    middle = sum(c * v for c, v in zip(counts, values, strict=True)) / n
    squares = sum(c * (v - middle) ** 2 for c, v in zip(counts, values, strict=True))
    half = Z * sqrt(squares / (n - 1) / n)
    return Estimate(middle, middle - half, middle + half, n)


def correlation(sums: Sequence[float]) -> Estimate | None:
    """Pearson's r from [n, Σa, Σb, Σa², Σb², Σab], with Fisher's interval; None if one is
    constant."""
    n, a, b, aa, bb, ab = sums
    spread = (n * aa - a * a) * (n * bb - b * b)
    if n < 4 or spread <= 1e-9:
        return None
    r = min(max((n * ab - a * b) / sqrt(spread), -1.0), 1.0)
    if abs(r) > 1 - 1e-12:
        return Estimate(r, r, r, int(n))
    half = Z / sqrt(n - 3)
    return Estimate(r, tanh(atanh(r) - half), tanh(atanh(r) + half), int(n))


def of_people(count: int | None) -> int | None:
    """A number of people, or None if it would say something about few."""
    return count if count is not None and count >= FEWEST_PEOPLE else None


def retained(back: int, cohort: int) -> Estimate | None:
    """Which share of a cohort came back; None if those who did, or did not, are few."""
    away = cohort - back
    if of_people(back) is None or (away and of_people(away) is None):
        return None
    return share(back, cohort)
