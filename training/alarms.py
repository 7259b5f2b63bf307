"""What goes wrong in a run, read off its metrics. Pure; alarm_words.py says it in words.

Every rule looks at few steps at the start and at the end, so that it speaks within 20 steps, and
takes medians or errors of means, so that noise of small batches does not set it off. What counts
are steps of the optimizer: a row of PPO is a rollout of several. Of long rows a few must do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil, sqrt
from statistics import fmean, median, pvariance
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """So many steps, but no fewer rows than `rows`."""

    steps: int
    rows: int


EARLY = Span(3, rows=2)  # says how it began
LATE = Span(5, rows=3)  # says how it is now
RECENT = Span(10, rows=3)  # in which something may stand still
ENOUGH = Span(15, rows=5)  # before slow troubles are believed
TREND = Span(15, rows=8)  # before a mean is believed not to move
LONG = Span(60, rows=60)  # after which a value function should explain something
FIRST_ROWS, LAST_ROWS = 100, 1000  # of a long run: how it began and how it is now

# A policy whose entropy falls below this share of its start says the same things again and again.
COLLAPSED_ENTROPY = 0.35
HIGH_CLIP_FRACTION = 0.4
LONGER, SHORTER = 1.6, 0.5
RARE_EOS = 0.02
CHANCE = 0.55  # accuracy of pairs below which nothing was learned
VITAL = ("loss", "eval_loss", "grad_norm", "loss/policy_avg", "loss/value_avg", "objective/kl")
HACKED = 0.5  # deviations of held-out scores: twice the error of the difference of forty
LN2 = 0.6931  # loss of a reward model that throws a coin


@dataclass(frozen=True)
class Limits:
    """What the run's config says of the bounds to keep."""

    stage: str = "sft"
    kl_budget: float = 20.0


@dataclass(frozen=True)
class Alarm:
    """`code` names the words; `values` stand in them; `step` is where it was seen."""

    code: str
    step: int
    values: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def limits_of(config: Mapping[str, Any]) -> Limits:
    """The limits in the plain values of a config."""
    if config.get("stage") != "ppo":
        return Limits(stage=config.get("stage", "sft"))
    return Limits("ppo", config["kl"]["budget"])


def look(rows: Sequence[Row], limits: Limits) -> list[Alarm]:
    """The alarms of a run by its metrics so far, in order of steps; each code once."""
    is_long = len(rows) > FIRST_ROWS + LAST_ROWS
    told = [*rows[:FIRST_ROWS], *rows[-LAST_ROWS:]] if is_long else rows
    train = [row for row in told if row["phase"] == "train"]
    held_out = [row for row in told if row["phase"] == "eval"]
    found = [alarm for rule in RULES[limits.stage] for alarm in rule(train, held_out, limits)]
    return sorted(found, key=lambda alarm: (alarm.step, alarm.code))


# Reading series


@dataclass(frozen=True)
class _Series:
    """One metric over the steps, without the rows that do not have it."""

    steps: list[int]
    values: list[float]

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, span: Span) -> int:
        """How many rows make a span; the first two say how many steps a row stands for."""
        per_row = self.steps[1] - self.steps[0] if len(self) > 1 else 1
        return max(span.rows, ceil(span.steps / max(1, per_row)))

    def covers(self, *spans: Span) -> bool:
        """Whether it is as long as the spans together."""
        return len(self) >= sum(map(self.rows, spans))

    def last(self, span: Span) -> list[float]:
        return self.values[-self.rows(span) :]

    @property
    def early(self) -> float:
        return median(self.values[: self.rows(EARLY)])

    @property
    def late(self) -> float:
        return median(self.last(LATE))

    @property
    def step(self) -> int:
        return self.steps[-1]


def _series(rows: Sequence[Row], *names: str) -> _Series:
    """The first of the names that is there at all."""
    for name in names:
        pairs = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
        if pairs:
            return _Series([step for step, _value in pairs], [value for _step, value in pairs])
    return _Series([], [])


def _before(series: _Series, judged: _Series) -> float:
    """How it began: the first rollout and the first look are drawn before anything is learned, the
    second rollout may be another thing already."""
    return median([*series.values[: series.rows(EARLY)], *judged.values[:1]])


def _fell(series: _Series) -> float:
    """How far the mean fell from the first ten rows to the last, or from half to half, in errors
    of the difference."""
    rows = min(10, len(series) // 2)
    first, last = series.values[:rows], series.values[-rows:]
    error = sqrt(pvariance(first) / rows + pvariance(last) / rows)
    return (fmean(first) - fmean(last)) / max(error, 1e-9)


# Rules of all stages


def _no_number(train: list[Row], held_out: list[Row], _limits: Limits) -> Iterator[Alarm]:
    for row in [*train, *held_out]:
        if any(row.get(name, 0) is None for name in VITAL):
            yield Alarm("no_number", row["step"])
            return


def _has_exploded(loss: _Series, before: float) -> bool:
    return loss.late > 1.3 * abs(before) + 0.2


def _loss_before(loss: _Series, held_out: list[Row]) -> float:
    """One step may be too large: the look before it says how it was."""
    return min([loss.early, *_series(held_out, "eval_loss").values[:1]])


def _loss_explodes(train: list[Row], held_out: list[Row], _limits: Limits) -> Iterator[Alarm]:
    loss = _series(train, "loss")
    if not loss.covers(EARLY, LATE):
        return
    before = _loss_before(loss, held_out)
    if _has_exploded(loss, before):
        yield Alarm("loss_explodes", loss.step, {"before": before, "now": loss.late})


def _loss_does_not_fall(train: list[Row], held_out: list[Row], _limits: Limits) -> Iterator[Alarm]:
    loss = _series(train, "loss")
    if not loss.covers(TREND):
        return
    exploded = _has_exploded(loss, _loss_before(loss, held_out))
    if not exploded and _fell(loss) < 0.25:
        yield Alarm("loss_does_not_fall", loss.step, {"before": loss.early, "now": loss.late})


def _overfits(train: list[Row], held_out: list[Row], _limits: Limits) -> Iterator[Alarm]:
    loss, judged = _series(train, "loss"), _series(held_out, "eval_loss", "loss")
    if len(judged) < 3 or not loss.covers(LATE):
        return
    best = min(judged.values)
    rises = judged.values[-1] > judged.values[-2] > best
    if rises and judged.values[-1] > 1.05 * best and loss.late < best:
        yield Alarm("overfits", judged.step, {"best": best, "now": judged.values[-1]})


# The reward model


def _guesses(train: list[Row], held_out: list[Row], _limits: Limits) -> Iterator[Alarm]:
    judged = _series(held_out, "eval_accuracy", "accuracy")
    has_begun = len(judged) >= 2 and judged.step >= ENOUGH.steps
    if has_begun and judged.values[-1] <= CHANCE:
        yield Alarm("guesses", judged.step, {"accuracy": judged.values[-1]})
        return
    accuracy, loss = _series(train, "accuracy"), _series(train, "loss")
    if not (accuracy.covers(ENOUGH) and loss.covers(ENOUGH)):
        return
    recent = fmean(accuracy.last(RECENT))
    if recent <= CHANCE and fmean(loss.last(RECENT)) >= LN2 - 0.02:
        yield Alarm("guesses", accuracy.step, {"accuracy": recent})


# PPO


def _unproven(_train: list[Row], held_out: list[Row], _limits: Limits) -> Iterator[Alarm]:
    """PPO cannot see that what its reward model says is chance; the run that made it did."""
    low = _series(held_out, "reward/accuracy_low")
    if low and low.values[0] <= 0.5:
        accuracy = _series(held_out, "reward/accuracy").values[0]
        yield Alarm("reward_is_unproven", low.steps[0], {"accuracy": accuracy})


def _kl(train: list[Row], _held_out: list[Row], limits: Limits) -> Iterator[Alarm]:
    kl = _series(train, "objective/kl", "kl")
    if not kl.covers(EARLY):
        return
    now = median(kl.last(EARLY))
    if now > limits.kl_budget:
        times = now / limits.kl_budget
        yield Alarm("kl_over_budget", kl.step, {"kl": now, "times": times})
    if now < -1.0:
        yield Alarm("kl_negative", kl.step, {"kl": now})
    price = _series(train, "objective/kl_coef")
    if price and price.values[-1] <= 1e-6 and now > limits.kl_budget / 4:
        yield Alarm("kl_is_free", kl.step, {"kl": now})


def _entropy(train: list[Row], held_out: list[Row], _limits: Limits) -> Iterator[Alarm]:
    names = ("policy/entropy_avg", "objective/entropy", "entropy")
    entropy = _series(train, *names)
    if not entropy.covers(EARLY, LATE):
        return
    share = entropy.late / max(_before(entropy, _series(held_out, *names)), 1e-9)
    if share < COLLAPSED_ENTROPY:
        yield Alarm("entropy_collapses", entropy.step, {"share": share})


def _length(train: list[Row], held_out: list[Row], _limits: Limits) -> Iterator[Alarm]:
    length = _series(train, "completions/mean_length")
    if not length.covers(EARLY, LATE):
        return
    before = _before(length, _series(held_out, "completions/mean_length"))
    values = {"before": before, "now": length.late}
    if length.late > max(LONGER * before, before + 4):
        yield Alarm("answers_grow_longer", length.step, values)
    if length.late < min(SHORTER * before, before - 2):
        yield Alarm("answers_grow_shorter", length.step, values)


def _eos(train: list[Row], _held_out: list[Row], _limits: Limits) -> Iterator[Alarm]:
    rate = _series(train, "completions/eos_rate")
    if rate.covers(ENOUGH) and fmean(rate.last(ENOUGH)) <= RARE_EOS:
        yield Alarm("answers_never_end", rate.step, {"rate": fmean(rate.last(ENOUGH))})


def _value(train: list[Row], _held_out: list[Row], _limits: Limits) -> Iterator[Alarm]:
    explained = _series(train, "val/explained_variance", "val/explained_var")
    is_harmful = explained.covers(ENOUGH) and explained.late < -0.2
    is_idle = explained.covers(LONG) and explained.late < 0.02
    if is_harmful or is_idle:
        yield Alarm("value_learns_nothing", explained.step, {"explained": explained.late})


def _clipping(train: list[Row], _held_out: list[Row], _limits: Limits) -> Iterator[Alarm]:
    clipped = _series(train, "policy/clipfrac_avg")
    if clipped.covers(LATE) and clipped.late > HIGH_CLIP_FRACTION:
        yield Alarm("clips_too_much", clipped.step, {"share": clipped.late})


def _reward(train: list[Row], held_out: list[Row], _limits: Limits) -> Iterator[Alarm]:
    score = _series(train, "objective/scores", "reward")
    recent = score.last(RECENT)
    if score.covers(RECENT) and max(recent) - min(recent) < 1e-9:
        yield Alarm("reward_says_nothing", score.step)
        return
    if not score.covers(TREND):
        return
    rise = -_fell(score)
    if rise < 0.25:
        yield Alarm("reward_does_not_rise", score.step, {"before": score.early, "now": score.late})
    if rise >= 2:
        yield from _hacking(held_out)


def _hacking(held_out: list[Row]) -> Iterator[Alarm]:
    judged = _series(held_out, "objective/scores", "eval_scores", "reward")
    spread = _series(held_out, "objective/scores_std")
    if len(judged) < 2 or not spread:
        return
    best, now = max(judged.values[:-1]), judged.values[-1]
    if now < min(judged.values[-2], judged.values[0] - HACKED * spread.values[0]):
        yield Alarm("reward_is_hacked", judged.step, {"best": best, "now": now})


Rule = Callable[[list[Row], list[Row], Limits], Iterator[Alarm]]
_LEARNING: tuple[Rule, ...] = (_no_number, _loss_explodes, _loss_does_not_fall, _overfits)
RULES: dict[str, tuple[Rule, ...]] = {
    "sft": _LEARNING,
    "dpo": _LEARNING,
    "rm": (_no_number, _loss_explodes, _overfits, _guesses),
    "ppo": (
        _no_number,
        _unproven,
        _kl,
        _entropy,
        _length,
        _eos,
        _value,
        _clipping,
        _reward,
    ),
    "sample": (),
    "evaluate": (),
}
