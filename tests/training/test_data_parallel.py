"""Two processes that share the work learn what one learns alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training import programs, small
from training import reward, rundir, sft
from training.rundir import RunDir

pytestmark = [pytest.mark.full, pytest.mark.slow]

NO_DROPOUT = {"lora": {"r": 4, "alpha": 8, "dropout": 0.0}}


def losses(run: RunDir) -> list[tuple[int, float]]:
    return [
        (row["step"], row.get("loss", row.get("eval_loss")))
        for row in rundir.read_lines(run.metrics)
    ]


@pytest.mark.parametrize("stage", ["sft", "rm"])
def test_two_processes_give_the_loss_of_one(stage: str, tmp_path: Path) -> None:
    alone, together = RunDir(tmp_path / "alone"), RunDir(tmp_path / "together")
    one = small.config(stage, tmp_path, model=NO_DROPOUT, optim={"batch_size": 4})
    two = small.config(stage, tmp_path, model=NO_DROPOUT, optim={"batch_size": 2})
    (sft if stage == "sft" else reward).run(one, alone)

    done = programs.launch(two, together)

    assert done.returncode == 0, done.stderr[-3000:]
    assert [step for step, _ in losses(together)] == [step for step, _ in losses(alone)]
    assert [loss for _, loss in losses(together)] == pytest.approx(
        [loss for _, loss in losses(alone)], rel=1e-4
    )
    ours, theirs = (
        load_file(run.final / "adapter" / "adapter_model.safetensors") for run in (alone, together)
    )
    assert all(torch.allclose(ours[key], theirs[key], atol=1e-3) for key in ours)
    assert together.read_status().state == "done"
