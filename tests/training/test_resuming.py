"""A run that is killed goes on from its last checkpoint as if nothing had been."""

from __future__ import annotations

import importlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.training import small
from training import config as configs
from training import rundir
from training.rundir import RunDir

pytestmark = pytest.mark.slow

STEPS = 12
MODULES = {"sft": "training.sft", "rm": "training.reward", "dpo": "training.dpo"}
PATIENCE_S = 120


def config_of(stage: str, folder: Path) -> Any:
    return small.config(
        stage,
        folder,
        optim={"max_steps": STEPS, "grad_accum": 2},
        output={"save_every": 3, "eval_every": 5},
    )


def start(config: Any, run: RunDir) -> subprocess.Popen[bytes]:
    run.make()
    path = run.path.with_suffix(".yaml")
    path.write_text(configs.to_yaml(config))
    command = [sys.executable, "-m", "training", config.stage, str(path), "--run-dir"]
    return subprocess.Popen(
        [*command, str(run.path)], env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE
    )


def steps_of(run: RunDir) -> int:
    return max((row["step"] for row in rundir.read_lines(run.metrics)), default=-1)


def kill_at(child: subprocess.Popen[bytes], run: RunDir, step: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while steps_of(run) < step and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()


def curve(run: RunDir) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "time"} for row in rundir.read_lines(run.metrics)]


def run_here(config: Any, run: RunDir) -> Path:
    return importlib.import_module(MODULES[config.stage]).run(config, run.make())


@pytest.mark.parametrize("stage", ["sft", pytest.param("rm", marks=pytest.mark.full)])
def test_a_killed_run_has_the_curve_of_one_that_was_not(stage: str, tmp_path: Path) -> None:
    config = config_of(stage, tmp_path)
    whole, broken = RunDir(tmp_path / "whole"), RunDir(tmp_path / "broken")
    run_here(config, whole)

    kill_at(start(config, broken), broken, 7)
    assert not broken.final.exists()
    assert broken.last_checkpoint() in [broken.checkpoints / f"checkpoint-{n}" for n in (3, 6)]
    run_here(config, broken)

    assert curve(broken) == curve(whole)
    assert lineage(broken)["weights_sha256"] == lineage(whole)["weights_sha256"]


@pytest.mark.parametrize(
    ("stage", "model"),
    [
        ("dpo", {}),
        ("sft", {"quantization": "4bit"}),
        pytest.param("rm", {"quantization": "8bit"}, marks=pytest.mark.full),
        pytest.param("sft", {"lora": None}, marks=pytest.mark.full),
        pytest.param("dpo", {"lora": None}, marks=pytest.mark.full),
        pytest.param("sft", {"compute": "auto"}, marks=pytest.mark.full),
    ],
)
def test_any_kind_of_run_goes_on_from_an_earlier_checkpoint(
    stage: str, model: dict[str, Any], tmp_path: Path
) -> None:
    config = small.config(
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
@pytest.mark.parametrize("stage", ["sft", "rm"])
def test_the_curve_is_the_same_wherever_it_is_killed(stage: str, seed: int, tmp_path: Path) -> None:
    config = config_of(stage, tmp_path)
    whole, broken = RunDir(tmp_path / "whole"), RunDir(tmp_path / "broken")
    run_here(config, whole)

    for step in sorted(random.Random(seed).sample(range(STEPS), 2)):
        kill_at(start(config, broken), broken, step)
    run_here(config, broken)

    assert curve(broken) == curve(whole)


def lineage(run: RunDir) -> dict[str, Any]:
    from training import checkpoints

    return checkpoints.read_lineage(run.final)
