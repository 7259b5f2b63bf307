"""How much people agree beyond chance: Krippendorff's α, shares, and how sure they are. Pure.

Works on *profiles*: how often each step of a scale was given to one unit (a message, say). Units
with equal profiles are counted, not kept: the numbers of a million units come from a few hundred.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Profile = tuple[int, ...]
Array = NDArray[np.float64]

ROUNDS = 500  # of the bootstrap
TAILS = (0.025, 0.975)
# An interval is told only if nearly all rounds of the bootstrap have a value.
DEFINED_SHARE = 0.95


class Level(StrEnum):
    """What a difference between two values means."""

    NOMINAL = "nominal"  # they differ or not
    ORDINAL = "ordinal"  # so many others lie between them
    INTERVAL = "interval"  # their distance


@dataclass(frozen=True)
class Estimate:
    """A number from `n` units with its 95 % interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None
    n: int


NOTHING = Estimate(None, None, None, 0)


def profiles_of(units: Iterable[Sequence[float]]) -> tuple[list[float], Counter[Profile]]:
    """The scale, ascending, and the profiles on it of units given as lists of values."""
    times = Counter(tuple(sorted(unit)) for unit in units)  # there may be millions, few differ
    scale = sorted({value for unit in times for value in unit})
    profiles: Counter[Profile] = Counter()
    for unit, count in times.items():
        tally = Counter(unit)
        profiles[tuple(tally[value] for value in scale)] += count
    return scale, profiles


def krippendorff_alpha(units: Iterable[Sequence[float]], level: Level) -> float | None:
    """α of the values that each unit (a message, say) got from several people.

    1 is full agreement, 0 what chance gives, below 0 systematic disagreement. Units with fewer
    than two values say nothing. None if nothing is left or all values are the same.
    Source: Krippendorff, Computing Krippendorff's alpha-reliability, 2011.
    """
    scale, profiles = profiles_of(units)
    return alpha(profiles, scale, level)


def alpha(profiles: Mapping[Profile, int], scale: Sequence[float], level: Level) -> float | None:
    """α of profiles on an ascending `scale`, each as often as its number says."""
    table, times = _pairable(profiles)
    return _number(_alphas(times[None], table, scale, level)[0]) if len(times) else None


def percent_agreement(profiles: Mapping[Profile, int]) -> float | None:
    """How often two people who judged the same unit gave it the same value.

    A unit counts by its number of values, so this is 1 less α's observed nominal disagreement.
    """
    table, times = _pairable(profiles)
    if not len(times):
        return None
    same, given = _same_and_given(table)
    return float(times @ same / (times @ given))


def estimates(
    profiles: Mapping[Profile, int],
    scale: Sequence[float],
    level: Level,
    rng: np.random.Generator,
    *,
    rounds: int = ROUNDS,
) -> tuple[Estimate, Estimate]:
    """α and percent agreement with their intervals, from a bootstrap that draws units.

    Zapf et al. 2016 (BMC Medical Research Methodology 16:93) find that this interval holds what it
    promises, which those that draw single disagreements do not always.
    """
    table, times = _pairable(profiles)
    if not len(times):
        return NOTHING, NOTHING
    drawn = _drawn(times, rng, rounds)
    same, given = _same_and_given(table)
    return (
        _estimate(alpha(profiles, scale, level), _alphas(drawn, table, scale, level), times),
        _estimate(percent_agreement(profiles), (drawn @ same) / (drawn @ given), times),
    )


def estimate_ratio(
    tops: Sequence[float],
    bottoms: Sequence[float],
    times: Sequence[int],
    rng: np.random.Generator,
    *,
    rounds: int = ROUNDS,
) -> Estimate:
    """The sum of `tops` over the sum of `bottoms`, units being drawn for the interval.

    A mean over pairs of people, say, who belong together by unit: `tops` are sums over a unit's
    pairs, `bottoms` (above 0) their numbers. `times` says how many units there are of each.
    """
    if not times:
        return NOTHING
    top, bottom, units = (np.array(each, dtype=float) for each in (tops, bottoms, times))
    drawn = _drawn(units, rng, rounds)
    value = fsum(units * top) / fsum(units * bottom)
    return _estimate(value, (drawn @ top) / (drawn @ bottom), units)


def _drawn(times: Array, rng: np.random.Generator, rounds: int) -> Array:
    """How often each profile comes up when as many units are drawn with replacement, (R, U).

    Drawing n units out of n is drawing numbers of their distinct profiles from a multinomial
    distribution: the ordinary bootstrap, whatever the number of units. Source: Efron 1979.
    """
    total = round(float(times.sum()))
    return rng.multinomial(total, times / times.sum(), size=rounds).astype(float)


def _estimate(value: float | None, rounds: Array, times: Array) -> Estimate:
    defined = rounds[~np.isnan(rounds)]
    n = round(float(times.sum()))
    if value is None or len(defined) < DEFINED_SHARE * len(rounds):
        return Estimate(value, None, None, n)
    low, high = np.quantile(defined, TAILS)
    return Estimate(value, float(low), float(high), n)


def _pairable(profiles: Mapping[Profile, int]) -> tuple[Array, Array]:
    """The profiles with two values or more as a table (U, V), and how often each occurs (U,)."""
    chosen = {profile: n for profile, n in profiles.items() if sum(profile) > 1 and n}
    table = np.array(list(chosen), dtype=float)
    return table, np.array(list(chosen.values()), dtype=float)


def _same_and_given(table: Array) -> tuple[Array, Array]:
    """Per profile: pairs of equal values, weighted as in α, and the number of values."""
    given = table.sum(axis=1)
    return (table * (table - 1)).sum(axis=1) / (given - 1), given


def _alphas(times: Array, table: Array, scale: Sequence[float], level: Level) -> Array:
    """α of each row of `times` (R, U), which says how often each profile of `table` (U, V) occurs.

    NaN where all values are the same. Every pair of different values of the scale stands once.
    """
    one, other = np.triu_indices(len(scale), 1)
    paired = table[:, one] * table[:, other] / (table.sum(axis=1) - 1)[:, None]
    totals = times @ table
    distance = _distances(level, scale, totals, (one, other))
    observed = ((times @ paired) * distance).sum(axis=1)
    expected = (totals[:, one] * totals[:, other] * distance).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - (totals.sum(axis=1) - 1) * observed / expected


def _distances(
    level: Level, scale: Sequence[float], totals: Array, pairs: tuple[Any, Any]
) -> Array:
    """Squared distances of the pairs of values: (R, P), or (1, P) if all rows share them."""
    one, other = pairs
    if level == Level.NOMINAL:
        return np.ones((1, len(one)))
    if level == Level.INTERVAL:
        place = np.asarray(scale, dtype=float)[None]
    else:
        place = totals.cumsum(axis=1) - totals / 2
    return (place[:, one] - place[:, other]) ** 2


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
