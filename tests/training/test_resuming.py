"""A run that is killed goes on from its last checkpoint as if nothing had been."""

from __future__ import annotations

import importlib
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.training import programs, small
from training import rundir
from training.rundir import RunDir

pytestmark = pytest.mark.slow

STEPS = 12
MODULES = {"sft": "training.sft", "rm": "training.reward", "dpo": "training.dpo"}


def config_of(stage: str, folder: Path, **changes: Any) -> Any:
    """Of pairs that weigh differently, where it is pairs that are learned from."""
    usual = {
        "optim": {"max_steps": STEPS, "grad_accum": 2},
        "output": {"save_every": 3, "eval_every": 5},
    }
    config = small.config(stage, folder, **usual | changes)
    if stage != "sft":
        small.pairs(folder, answers=3)
    return config


def steps_of(run: RunDir) -> int:
    return max((row["step"] for row in rundir.read_lines(run.metrics)), default=-1)


def kill_at(step: int, config: Any, run: RunDir) -> None:
    programs.kill_when(programs.start(config, run), lambda: steps_of(run) >= step)


def curve(run: RunDir) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "time"} for row in rundir.read_lines(run.metrics)]


def run_here(config: Any, run: RunDir) -> Path:
    return importlib.import_module(MODULES[config.stage]).run(config, run.make())


@pytest.mark.parametrize(
    "stage", ["sft", *(pytest.param(stage, marks=pytest.mark.full) for stage in ("rm", "dpo"))]
)
def test_a_killed_run_has_the_curve_of_one_that_was_not(stage: str, tmp_path: Path) -> None:
    config = config_of(stage, tmp_path)
    whole, broken = RunDir(tmp_path / "whole"), RunDir(tmp_path / "broken")
    run_here(config, whole)

    programs.kill_begun(config, broken, lambda: steps_of(broken) >= 7)
    assert not broken.final.exists()
    assert broken.last_checkpoint() in [broken.checkpoints / f"checkpoint-{n}" for n in (3, 6)]
    run_here(config, broken)

    assert curve(broken) == curve(whole)
    assert lineage(broken)["weights_sha256"] == lineage(whole)["weights_sha256"]


@pytest.mark.parametrize(
    ("stage", "model"),
    [
        ("dpo", {}),
        ("rm", {"quantization": "4bit"}),
        pytest.param("sft", {"quantization": "8bit"}, marks=pytest.mark.full),
        pytest.param("sft", {"lora": None}, marks=pytest.mark.full),
        pytest.param("dpo", {"lora": None}, marks=pytest.mark.full),
        pytest.param("sft", {"compute": "auto"}, marks=pytest.mark.full),
    ],
)
def test_any_kind_of_run_goes_on_from_an_earlier_checkpoint(
    stage: str, model: dict[str, Any], tmp_path: Path
) -> None:
    config = config_of(
        stage, tmp_path, model=model, optim={"max_steps": 6}, output={"save_every": 2, "keep": 9}
    )
    whole, broken = RunDir(tmp_path / "whole"), RunDir(tmp_path / "broken")
    run_here(config, whole)
    shutil.copytree(whole.path, broken.path)
    for later in (broken.final, *(broken.checkpoints / f"checkpoint-{n}" for n in (4, 6))):
        shutil.rmtree(later)

    run_here(config, broken)

    assert curve(broken) == curve(whole)
    assert lineage(broken)["weights_sha256"] == lineage(whole)["weights_sha256"]


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("stage", ["sft", "rm", "dpo"])
def test_the_curve_is_the_same_wherever_it_is_killed(stage: str, seed: int, tmp_path: Path) -> None:
    config = config_of(stage, tmp_path)
    whole, broken = RunDir(tmp_path / "whole"), RunDir(tmp_path / "broken")
    run_here(config, whole)

    for step in sorted(random.Random(seed).sample(range(STEPS), 2)):
        kill_at(step, config, broken)
    run_here(config, broken)

    assert curve(broken) == curve(whole)


def lineage(run: RunDir) -> dict[str, Any]:
    from training import checkpoints

    return checkpoints.read_lineage(run.final)
