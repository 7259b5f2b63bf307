"""What the pages of training show of runs, snapshots and models. Reads only."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import yaml

from training import alarm_words, alarms, curves, execution, model_card, round_reading
from training import config as configs
from training.alarm_words import Warning
from training.curves import Chart, Curve
from training.enums import RunState
from training.models import Checkpoint, TrainingRun
from training.rundir import read_lines

if TYPE_CHECKING:
    from oasst.accounts.models import User

RUNS_A_PAGE = 30
MOST_COMPARED = 6
ROWS_IN_TABLE = 12
ANSWERS_SHOWN = 3
# Steps from which the speed is told.
SPEED_ROWS = 20


@dataclass(frozen=True)
class Drawn:
    """A chart with the curves that are in it."""

    chart: Chart
    curves: list[Curve]
    limit: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "key": self.chart.key,
            "title": str(self.chart.title),
            "unit": str(self.chart.unit),
            "limit": self.limit,
            "curves": [curve.to_dict() for curve in self.curves],
        }

    @property
    def table(self) -> list[tuple[int, list[float | None]]]:
        """The last rows as numbers: step, then a value of each curve."""
        found: dict[int, list[float | None]] = {}
        for place, curve in enumerate(self.curves):
            for step, value in zip(curve.steps, curve.values, strict=True):
                found.setdefault(step, [None] * len(self.curves))[place] = value
        return sorted(found.items())[-ROWS_IN_TABLE:]


def base_of(checkpoint: Checkpoint) -> dict[str, str] | None:
    """Name and hash of the model under it; where that lies is nobody's business."""
    base = checkpoint.lineage.get("base_model")
    return {"name": model_card.name_of(base["path"]), "sha256": base["sha256"]} if base else None


@dataclass(frozen=True)
class Answer:
    """What the model said at a step; the score is that of the reward model, if there is one."""

    step: int
    text: str
    score: float | None


@dataclass(frozen=True)
class Sampled:
    """Answers to one of the fixed prompts, the newest first."""

    prompt: str
    answers: list[Answer]

    @property
    def newest(self) -> list[Answer]:
        return self.answers[:ANSWERS_SHOWN]

    @property
    def earlier(self) -> list[Answer]:
        return self.answers[ANSWERS_SHOWN:]


def rows_of(run: TrainingRun) -> list[dict[str, Any]]:
    """The run's metrics as lines, oldest first. One query."""
    found = run.logged_metrics.order_by("step", "phase").values_list("step", "phase", "values")
    return [values | {"step": step, "phase": phase} for step, phase, values in found]


def charts(runs: Sequence[TrainingRun]) -> list[Drawn]:
    """Every chart that has points, of one run or of several over each other."""
    rows = {run.pk: rows_of(run) for run in runs}
    drawn = []
    for chart in curves.chosen(run.stage for run in runs):
        found = [
            curve
            for run in runs
            for curve in curves.draw(chart, rows[run.pk], prefix=run.name if len(runs) > 1 else "")
        ]
        if found:
            drawn.append(Drawn(chart, found, _limit(chart, runs)))
    return drawn


def _limit(chart: Chart, runs: Sequence[TrainingRun]) -> float | None:
    """The smallest limit of the runs."""
    if not chart.limit:
        return None
    limits = [alarms.limits_of(run.config) for run in runs]
    return min(float(getattr(limit, chart.limit)) for limit in limits)


def time_left(run: TrainingRun) -> timedelta | None:
    """By the speed of the last steps; None before there is one."""
    if run.state != RunState.RUNNING:
        return None
    newest = run.logged_metrics.filter(phase="train").order_by("-step")[:SPEED_ROWS]
    rows = [(row.step, row.values["time"]) for row in newest if "time" in row.values]
    if len(rows) < 2 or rows[0][0] == rows[-1][0]:
        return None
    per_step_s = (rows[0][1] - rows[-1][1]) / (rows[0][0] - rows[-1][0])
    return timedelta(seconds=round(max(0.0, per_step_s) * max(0, run.max_steps - run.step)))


def samples(run: TrainingRun) -> list[Sampled]:
    """What the model answered to the fixed prompts at each evaluation, newest first."""
    rows = sorted(read_lines(run.folder.samples), key=lambda row: (row["prompt"], -row["step"]))
    return [
        Sampled(
            prompt,
            [
                Answer(row["step"], completion["text"], completion.get("score"))
                for row in answers
                for completion in row["completions"]
            ],
        )
        for prompt, answers in groupby(rows, key=lambda row: row["prompt"])
    ]


def log(run: TrainingRun) -> str:
    """The end of its log; of what it printed, if it keeps none."""
    return execution.tail(run.folder.log) or execution.tail(run.folder.path / execution.OUTPUT)


@dataclass(frozen=True)
class Live:
    """What changes on the page of a run while it runs."""

    run: TrainingRun
    warnings: list[Warning]
    left: timedelta | None
    samples: list[Sampled]
    to_rank: UUID | None  # the ranking because of which there are no samples
    log: str


def live(run: TrainingRun, reader: User) -> Live:
    """Without samples for whoever is about to rank answers of the run's round."""
    to_rank = round_reading.open_ranking(run.round, reader) if run.round else None
    warnings, drawn = alarm_words.warnings_of(run), [] if to_rank else samples(run)
    return Live(run, warnings, time_left(run), drawn, to_rank, log(run))


# Configs


def config_names() -> list[str]:
    """The configs that come with the project and can be started from a page; first those that
    need no GPU and teach something."""
    found = sorted(
        configs.CONFIGS.glob("*.yaml"), key=lambda p: (not p.stem.startswith("smollm2"), p.stem)
    )
    return [path.stem for path in found if _stage_of(path) in configs.STAGES]


def _stage_of(path: Path) -> str:
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    return str(values.get("stage", "")) if isinstance(values, dict) else ""


def config_difference(one: TrainingRun, other: TrainingRun) -> list[str]:
    """Lines of a unified diff of two runs' whole configs."""
    first, second = (
        yaml.safe_dump(run.config, sort_keys=False).splitlines() for run in (one, other)
    )
    return list(difflib.unified_diff(first, second, one.name, other.name, lineterm="", n=1))


# Models


@dataclass(frozen=True)
class Figure:
    """A number of an evaluation, said with its interval and n."""

    name: str
    value: float
    low: float | None
    high: float | None
    n: int | None


def figures(checkpoint: Checkpoint) -> list[Figure]:
    found = (checkpoint.evaluation or {}).items()
    return [
        Figure(name.replace("_", " "), row["value"], row.get("low"), row.get("high"), row.get("n"))
        for name, row in found
        if isinstance(row, dict) and isinstance(row.get("value"), int | float)
    ]
