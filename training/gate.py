"""Whether a model may go live: what its evaluation must show. Pure.

Every figure is `{"value", "low", "high", "n"}`. What could be chance is decided by the interval;
a budget is a limit, which the value itself has to keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from training.win_rate import MIN_COMPARISONS

# What answers people: a reward model does not.
TALKING_STAGES = frozenset({"sft", "dpo", "ppo"})
# Under so many held-out examples an evaluation says nothing.
FEWEST_EXAMPLES = 8
# Where one of these is no number, something is wrong with the model.
DECISIVE = ("loss", "loss_change", "kl", "gain")
EVEN = 0.5
# Of one held-out look and of a round's samples: how answers end beside those of the model before.
SAMPLES = "samples_"
ANSWERS = ("", SAMPLES)
# Answers that became so many times as long, or as short, were paid for their length.
DRIFTED = 1.5


@dataclass(frozen=True)
class Objection:
    """`code` names the words in which people read it; `values` stand in them."""

    code: str
    values: Mapping[str, float | str]


def objections(
    stage: str,
    config: Mapping[str, Any],
    evaluation: Mapping[str, Any] | None,
    *,
    superseded: tuple[str, ...] = (),
) -> list[Objection]:
    """What speaks against a model of `stage`, made with `config`; nothing if it may go live.

    `superseded` names snapshots it learned from, of which something was erased since.
    """
    found = [Objection("superseded", {"name": name}) for name in superseded]
    if stage not in TALKING_STAGES:
        return [*found, Objection("does_not_talk", {"stage": stage})]
    evaluation = evaluation or {}
    found += [Objection("no_number", {"name": name}) for name in _without_number(evaluation)]
    figures = _figures(evaluation)
    judged = [figure.get("n") or 0 for name, figure in figures.items() if _is_judgement(name)]
    if not judged:
        found += [Objection("no_evaluation", {})]
    elif max(judged) < FEWEST_EXAMPLES:
        found += [Objection("too_few", {"n": max(judged), "fewest": FEWEST_EXAMPLES})]
    elif stage == "ppo" and "gain" not in evaluation:
        found += [Objection("gain_unknown", {})]
    found += [*_of_loss(figures), *_of_pairs(figures), *_of_ppo(config, figures)]
    return [*found, *_of_answers(figures), *_of_win_rate(figures)]


def _is_judgement(name: str) -> bool:
    """Whether it tells how good a model is, by itself: rankings and samples compare it."""
    return name != "win_rate" and not name.startswith(SAMPLES)


def _figures(evaluation: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The headline numbers that have a value."""
    return {
        name: figure
        for name, figure in evaluation.items()
        if isinstance(figure, Mapping) and _is_number(figure.get("value"))
    }


def _without_number(evaluation: Mapping[str, Any]) -> Iterator[str]:
    for name in DECISIVE:
        if isinstance(evaluation.get(name), Mapping) and name not in _figures(evaluation):
            yield name


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def _edge(figure: Mapping[str, Any], edge: str) -> float:
    """An end of the interval; the value where too little was judged for one."""
    return float(figure[edge] if _is_number(figure.get(edge)) else figure["value"])


def _of_loss(figures: Mapping[str, Any]) -> Iterator[Objection]:
    """A model that learned makes held-out answers likelier, not less likely."""
    change = figures.get("loss_change")
    if change and _edge(change, "low") > 0:
        yield Objection("loss_rose", {"change": change["value"]})


def _of_pairs(figures: Mapping[str, Any]) -> Iterator[Objection]:
    """A model that learned from pairs finds the better answer of a held-out one likelier."""
    accuracy = figures.get("accuracy")
    if accuracy and _edge(accuracy, "high") < EVEN:
        right = {"right": 100 * accuracy["value"], "n": accuracy.get("n") or 0}
        yield Objection("prefers_worse", right)


def _of_ppo(config: Mapping[str, Any], figures: Mapping[str, Any]) -> Iterator[Objection]:
    kl, gain = figures.get("kl"), figures.get("gain")
    budget = (config.get("kl") or {}).get("budget")
    if kl and budget is not None and kl["value"] > budget:
        yield Objection("kl_over_budget", {"kl": kl["value"], "budget": budget})
    if gain and _edge(gain, "high") <= 0:
        yield Objection("reward_fell", {"gain": gain["value"]})
    elif gain and not _is_shown(gain) and not _is_win_shown(figures.get("win_rate")):
        yield Objection("no_gain", {"gain": gain["value"], "n": gain.get("n") or 0})


def _is_shown(gain: Mapping[str, Any]) -> bool:
    """Whether it is more than chance; without an interval nobody knows."""
    return _is_number(gain.get("low")) and gain["low"] > 0


def _of_answers(figures: Mapping[str, Any]) -> Iterator[Objection]:
    """A model that seldom comes to an end, or was paid for length, has learned the wrong thing."""
    for place in ANSWERS:
        fewer, longer = (figures.get(f"{place}{name}") for name in ("ended_change", "length_ratio"))
        if fewer and _edge(fewer, "high") < 0:
            before, now = (figures[f"{place}{name}"] for name in ("ended_before", "ended"))
            shares = {"before": 100 * before["value"], "now": 100 * now["value"], "n": now["n"]}
            yield Objection("ends_less", shares)
        if longer and _has_drifted(longer):
            yield Objection("length_drifted", {"times": longer["value"], "n": longer["n"]})


def _has_drifted(longer: Mapping[str, Any]) -> bool:
    is_surely_other = _edge(longer, "low") > 1 or _edge(longer, "high") < 1
    return is_surely_other and not 1 / DRIFTED <= longer["value"] <= DRIFTED


def _of_win_rate(figures: Mapping[str, Any]) -> Iterator[Objection]:
    """Only a win-rate that is surely below one half speaks against a model."""
    win_rate = figures.get("win_rate")
    if win_rate and _is_enough(win_rate) and _edge(win_rate, "high") < EVEN:
        yield Objection("loses", {"win_rate": 100 * win_rate["value"], "n": win_rate["n"]})


def _is_win_shown(win_rate: Mapping[str, Any] | None) -> bool:
    """Whether people surely prefer it; they know better than the reward model."""
    return bool(win_rate and _is_enough(win_rate) and _edge(win_rate, "low") > EVEN)


def _is_enough(win_rate: Mapping[str, Any]) -> bool:
    return (win_rate.get("n") or 0) >= MIN_COMPARISONS
