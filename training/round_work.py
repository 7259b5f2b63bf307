"""A round at work: what its steps know of it, and how a step has its training run done."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from training import config as configs
from training import runs
from training.enums import RunState, Stage
from training.models import Round, RoundStep, Snapshot, TrainingRun
from training.round_config import RoundConfig, stage_config

Record = dict[str, Any]


class Failed(Exception):
    """The step could not be done; the text says why."""


class Cancelled(Exception):
    """Somebody cancelled the run of the step."""


class Skipped(Exception):
    """The step is not wanted, or not allowed; the round goes on."""

    def __init__(self, reason: str, record: Record | None = None) -> None:
        super().__init__(reason)
        self.record = record or {}


@dataclass(frozen=True)
class Work:
    """A round at work. `earlier` are those of its name that came to their end, in order."""

    round: Round
    config: RoundConfig
    earlier: Sequence[Round]
    execute: Callable[[TrainingRun], TrainingRun]

    @property
    def before(self) -> Round | None:
        """The round whose model this one's has to beat, if there is one."""
        return self.earlier[-1] if self.earlier else None

    @property
    def number(self) -> int:
        return int(self.round.name.rpartition("-")[2])

    @property
    def folder(self) -> Path:
        """Where the round's own files lie."""
        path = self.folder_of(self.round)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def folder_of(self, round: Round) -> Path:
        return Path(settings.RUNS_DIR) / "rounds" / round.name

    def record(self, kind: str) -> Record:
        """What an earlier step wrote down."""
        return dict(self.round.steps.get(kind=kind).record)

    def data(self) -> dict[str, Any]:
        """Where the examples come from and which trees are held out, the same for all stages.

        What a round holds out those before it held out too, whatever their configs say: a model
        may descend from theirs, and is compared with the last of them.
        """
        told = [*(round.config for round in self.earlier), configs.to_dict(self.config)]
        return {
            "sources": [{"path": self.record("snapshot")["path"]}],
            "languages": list(self.config.languages),
            "eval_share": min(config["eval_share"] for config in told),
            "split_seed": told[0]["seed"],
            "release_ranked": True,
        }

    def previous(self) -> str:
        """The model before: that of the last round, else the base."""
        if self.before is None:
            return self.config.base
        return str(self.before.steps.get(kind="ppo").record["folder"])


def run_of(work: Work, step: RoundStep, **filled_in: Any) -> TrainingRun:
    """The run of the step, at its end; one that broke off before is gone on with."""
    config = stage_config(
        work.config, step.kind, name=f"{work.round.name}-{step.kind}", **filled_in
    )
    run = _queued(work, step, config)
    if run.state != RunState.DONE:
        run = work.execute(run)
    if run.state == RunState.CANCELLED:
        raise Cancelled(run.message or _("The run was cancelled."))
    if run.state != RunState.DONE:
        raise Failed(run.message)
    return run


@transaction.atomic
def _queued(work: Work, step: RoundStep, config: Any) -> TrainingRun:
    """The run that the step has already, if its config is still the same; else a new one."""
    known = step.run
    if known is not None and known.config == configs.to_dict(config):
        if known.state in (RunState.CANCELLED, RunState.FAILED):
            runs.resume(known.pk, now=timezone.now(), wake=False)
            known.refresh_from_db()
        return known
    if known is not None and not known.is_final:
        runs.cancel(known.pk, now=timezone.now())
    step.run = runs.queue(
        Stage(step.kind),
        config,
        now=timezone.now(),
        by=work.round.queued_by,
        snapshot=Snapshot.objects.filter(pk=work.record("snapshot").get("snapshot", 0)).first(),
        round=work.round,
        round_step=step.kind,
        wake=False,
    )
    step.save(update_fields=["run"])
    return step.run


def about(run: TrainingRun) -> Record:
    took = (run.ended_at - run.started_at).total_seconds() if run.ended_at and run.started_at else 0
    return {"steps": run.max_steps, "seconds": round(took), "alarms": len(run.alarms)}


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
