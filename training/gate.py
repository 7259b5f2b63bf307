"""Whether a model may go live: what its evaluation must show. Pure.

Every figure is `{"value", "low", "high", "n"}`; the interval decides, not the value alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# What answers people: a reward model does not.
TALKING_STAGES = frozenset({"sft", "dpo", "ppo"})
# Under so many judgements a win-rate says nothing.
FEWEST_COMPARISONS = 20
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
    if not _figures(evaluation):
        return [*found, Objection("no_evaluation", {})]
    assert evaluation is not None
    return [*found, *_of_loss(evaluation), *_of_ppo(config, evaluation), *_of_win_rate(evaluation)]


def _figures(evaluation: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    """The headline numbers that have a value."""
    return {
        name: figure
        for name, figure in (evaluation or {}).items()
        if isinstance(figure, Mapping) and isinstance(figure.get("value"), int | float)
    }


def _of_loss(evaluation: Mapping[str, Any]) -> Iterator[Objection]:
    """A model that learned makes held-out answers likelier, not less likely."""
    change = _figures(evaluation).get("loss_change")
    if change and change["low"] > 0:
        yield Objection("loss_rose", {"change": change["value"]})


def _of_ppo(config: Mapping[str, Any], evaluation: Mapping[str, Any]) -> Iterator[Objection]:
    figures = _figures(evaluation)
    kl, gain = figures.get("kl"), figures.get("gain")
    budget = (config.get("kl") or {}).get("budget")
    if kl and budget is not None and kl["value"] > budget:
        yield Objection("kl_over_budget", {"kl": kl["value"], "budget": budget})
    if gain and gain["high"] <= 0:
        yield Objection("reward_fell", {"gain": gain["value"]})


def _of_win_rate(evaluation: Mapping[str, Any]) -> Iterator[Objection]:
    """Only a win-rate that is surely below one half speaks against a model."""
    win_rate = _figures(evaluation).get("win_rate")
    if win_rate and win_rate["n"] >= FEWEST_COMPARISONS and win_rate["high"] < EVEN:
        yield Objection("loses", {"win_rate": 100 * win_rate["value"], "n": win_rate["n"]})
