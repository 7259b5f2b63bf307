"""What tests of runs start from."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.utils import timezone

from training import config as configs
from training import runs
from training.models import TrainingRun

FAKE = [sys.executable, "-m", "tests.training.fake_pipeline"]


def config(name: str = "fine", *, steps: int = 6, **values: Any) -> Any:
    """The config of an SFT run of a few steps."""
    plain = {"name": name, "model": {"path": "tiny"}, "optim": {"max_steps": steps}} | values
    return configs.build(plain, stage="sft")


def queued(name: str = "fine", *, steps: int = 6, wake: bool = False, **how: Any) -> TrainingRun:
    """A run that waits, without a job for it unless `wake`."""
    return runs.queue("sft", config(name, steps=steps), now=timezone.now(), wake=wake, **how)


def starts(run: TrainingRun) -> int:
    """How often its program was started."""
    return len((run.folder.path / "starts.txt").read_text().splitlines())


def environment() -> dict[str, str]:
    """What the programs of a real worker need on top of `stack.environment`."""
    return {"RUNS_DIR": str(settings.RUNS_DIR), "TRAINING_COMMAND": " ".join(FAKE)}
