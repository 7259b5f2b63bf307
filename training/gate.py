"""Whether a model may go live: what its evaluation must show. Pure.

Every figure is `{"value", "low", "high", "n"}`. What could be chance is decided by the interval;
a budget is a limit, which the value itself has to keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

# What answers people: a reward model does not.
TALKING_STAGES = frozenset({"sft", "dpo", "ppo"})
# Under so many held-out examples an evaluation says nothing, under so many judgements a win-rate.
FEWEST_EXAMPLES = 8
FEWEST_COMPARISONS = 20
# Where one of these is no number, something is wrong with the model.
DECISIVE = ("loss", "loss_change", "kl", "gain")
EVEN = 0.5


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
    judged = [figure.get("n") or 0 for name, figure in figures.items() if name != "win_rate"]
    if not judged:
        found += [Objection("no_evaluation", {})]
    elif max(judged) < FEWEST_EXAMPLES:
        found += [Objection("too_few", {"n": max(judged), "fewest": FEWEST_EXAMPLES})]
    return [*found, *_of_loss(figures), *_of_ppo(config, figures), *_of_win_rate(figures)]


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


def _of_ppo(config: Mapping[str, Any], figures: Mapping[str, Any]) -> Iterator[Objection]:
    kl, gain = figures.get("kl"), figures.get("gain")
    budget = (config.get("kl") or {}).get("budget")
    if kl and budget is not None and kl["value"] > budget:
        yield Objection("kl_over_budget", {"kl": kl["value"], "budget": budget})
    if gain and _edge(gain, "high") <= 0:
        yield Objection("reward_fell", {"gain": gain["value"]})


def _of_win_rate(figures: Mapping[str, Any]) -> Iterator[Objection]:
    """Only a win-rate that is surely below one half speaks against a model."""
    win_rate = figures.get("win_rate")
    if not win_rate or (win_rate.get("n") or 0) < FEWEST_COMPARISONS:
        return
    if _edge(win_rate, "high") < EVEN:
        yield Objection("loses", {"win_rate": 100 * win_rate["value"], "n": win_rate["n"]})
