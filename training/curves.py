"""Which curves a run shows, and their points. Touches no database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise

# More points than a screen has columns say nothing more.
MOST_POINTS = 600


@dataclass(frozen=True)
class Line:
    """One metric of one phase."""

    name: str
    label: Text
    phase: str = "train"


@dataclass(frozen=True)
class Chart:
    """Lines with one unit in one picture; `limit` names the limit that is drawn as a band."""

    key: str
    title: Text
    unit: Text
    lines: tuple[Line, ...]
    limit: str = ""


@dataclass
class Curve:
    """A line with its points."""

    label: str
    steps: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {"label": self.label, "steps": self.steps, "values": self.values}


def _one(key: str, title: Text, unit: Text, name: str) -> Chart:
    lines = (Line(name, _("training")), Line(name, _("held out"), "eval"))
    return Chart(key, title, unit, lines)


_LOSS = Chart(
    "loss",
    _("Loss"),
    _("nats per token, on what is learned and on held-out trees"),
    (Line("loss", _("training")), Line("eval_loss", _("held out"), "eval")),
)
_OPTIMISER = (
    Chart("lr", _("Learning rate"), _("per step"), (Line("learning_rate", _("learning rate")),)),
    Chart("grad_norm", _("Gradient norm"), _("before clipping"), (Line("grad_norm", _("norm")),)),
)
_MARGIN = Chart(
    "margin",
    _("Margin"),
    _("score of the chosen answer minus that of the rejected one"),
    (
        Line("margin", _("training")),
        Line("rewards/margins", _("training")),
        Line("eval_margin", _("held out"), "eval"),
    ),
)
_ACCURACY = Chart(
    "accuracy",
    _("Accuracy"),
    _("share of pairs in which the preferred answer scores higher; a coin gets 0.5"),
    (
        Line("accuracy", _("training")),
        Line("rewards/accuracies", _("training")),
        Line("eval_accuracy", _("held out"), "eval"),
    ),
)
_PPO = (
    _one("reward", _("Reward"), _("mean score of the reward model"), "objective/scores"),
    Chart(
        "kl",
        _("KL to the SFT model"),
        _("nats per answer; the band is the budget"),
        (Line("objective/kl", _("training")), Line("objective/kl", _("held out"), "eval")),
        limit="kl_budget",
    ),
    _one("entropy", _("Entropy"), _("nats per token"), "policy/entropy_avg"),
    Chart(
        "clipfrac",
        _("Clip fraction"),
        _("share of tokens whose update was clipped"),
        (
            Line("policy/clipfrac_avg", _("policy")),
            Line("val/clipfrac_avg", _("value")),
        ),
    ),
    _one("length", _("Length of answers"), _("tokens"), "completions/mean_length"),
    _one("eos", _("Answers that end"), _("share; the others are cut off"), "completions/eos_rate"),
    Chart(
        "explained",
        _("Explained variance"),
        _("of the rewards by the value function; 1 is all, 0 is nothing"),
        (Line("val/explained_variance", _("value function")),),
    ),
    Chart("kl_coef", _("Price of KL"), _("coefficient"), (Line("objective/kl_coef", _("β")),)),
    Chart(
        "losses",
        _("Losses"),
        _("of policy and value function"),
        (Line("loss/policy_avg", _("policy")), Line("loss/value_avg", _("value"))),
    ),
)
# The trainers of RLOO and GRPO have names of their own.
_ONLINE = (
    Chart("mean_reward", _("Reward"), _("mean score"), (Line("reward", _("training")),)),
    Chart(
        "mean_kl", _("KL to the SFT model"), _("nats"), (Line("kl", _("training")),), "kl_budget"
    ),
)
_TOKENS = (
    Chart(
        "token_accuracy",
        _("Token accuracy"),
        _("share of tokens that the model would have chosen too"),
        (
            Line("mean_token_accuracy", _("training")),
            Line("eval_mean_token_accuracy", _("held out"), "eval"),
        ),
    ),
    Chart("mean_entropy", _("Entropy"), _("nats per token"), (Line("entropy", _("training")),)),
)
CHARTS: dict[str, tuple[Chart, ...]] = {
    "sft": (_LOSS, *_TOKENS, *_OPTIMISER),
    "rm": (_LOSS, _ACCURACY, _MARGIN, *_OPTIMISER),
    "dpo": (_LOSS, _ACCURACY, _MARGIN, *_OPTIMISER),
    "ppo": (*_PPO, *_ONLINE, _TOKENS[1], *_OPTIMISER),
}


def chosen(stages: Iterable[str]) -> list[Chart]:
    """The charts of some stages, each key once for each set of lines."""
    return list(dict.fromkeys(chart for stage in stages for chart in CHARTS.get(stage, ())))


def draw(chart: Chart, rows: Sequence[dict[str, Any]], *, prefix: str = "") -> list[Curve]:
    """The curves of a chart that have points; `prefix` names the run where several are shown."""
    curves = []
    for line in chart.lines:
        points = [
            (row["step"], row[line.name])
            for row in rows
            if row["phase"] == line.phase and line.name in row
        ]
        if points:
            label = f"{prefix} · {line.label}" if prefix else str(line.label)
            kept = _thinned(points)
            curves.append(Curve(label, [step for step, _v in kept], [v for _s, v in kept]))
    return curves


def _thinned(points: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """Every n-th point, and the last."""
    stride = -(-len(points) // MOST_POINTS)
    kept = points[::stride]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]
