"""Where a number lies in a picture, which numbers an axis names, and how they are written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_NICE = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`, with evenly spaced ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Where `value` lies, in percent of the axis; beyond its ends, at the nearer one."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)


def around(values: Sequence[float], *, most: int = 5, whole: bool = False) -> Scale:
    """An axis with round ticks that holds 0 and all values; `whole` has no ticks in between."""
    low, high = min((*values, 0.0)), max((*values, 0.0))
    high = high if high > low else low + 1
    step = _step(high - low, most, whole=whole)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = tuple(round(number * step, 10) for number in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], ticks)


def between(low: float, high: float, *, most: int = 5) -> Scale:
    """An axis with fixed ends and round ticks between them."""
    step = _step(high - low, most, whole=False)
    first, last = math.ceil(round(low / step, 6)), math.floor(round(high / step, 6))
    return Scale(low, high, tuple(round(n * step, 10) for n in range(first, last + 1)))


def _step(span: float, most: int, *, whole: bool) -> float:
    """The smallest round step with which at most `most` ticks are needed."""
    power = 10.0 ** math.floor(math.log10(span / most))
    steps = (nice * power * factor for factor in (1, 10) for nice in _NICE)
    fitting = [step for step in steps if span / step <= most - 1]
    if whole:
        fitting = [step for step in fitting if step >= 1 and step == int(step)] or [1.0]
    return min(fitting)


def spread(count: int) -> list[float]:
    """Places of `count` points from end to end, in percent; a single one stands in the middle."""
    if count == 1:
        return [50.0]
    return [round(100 * number / (count - 1), 2) for number in range(count)]


def some(count: int, most: int) -> list[int]:
    """Which of `count` labels are written so that at most `most` are, the first and last among
    them, about evenly spaced."""
    if count <= most:
        return list(range(count))
    return sorted({round(number * (count - 1) / (most - 1)) for number in range(most)})


def plain(value: float) -> str:
    """A number with the digits that matter: 12 345, 0.25, 3.1."""
    if abs(value) >= 100 or value == int(value):
        return _signed(f"{round(value):,}".replace(",", "\u202f"))
    return _signed(f"{value:.3g}")


def short(value: float) -> str:
    """A number of an axis, as short as it goes: 1.5k, 20M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return _signed(f"{value / size:.3g}{letter}")
    return _signed(f"{value:.3g}")


def percent(value: float) -> str:
    """A share, as percent."""
    return _signed(f"{round(100 * value, 1):g}\u202f%")


def _signed(number: str) -> str:
    return number.replace("-", "\u2212")
