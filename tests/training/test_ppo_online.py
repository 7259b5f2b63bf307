"""RLOO and GRPO: trl's trainers with the config, the rewards and the curves of PPO."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training import ppo_given
from tests.training.test_ppo import curve
from training import ppo
from training.config import PpoConfig
from training.rundir import RunDir
from training.stopping import Cancelled

pytestmark = pytest.mark.slow
ALGORITHMS = ["rloo", "grpo"]


@pytest.fixture(autouse=True)
def _models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_DIR", str(tmp_path_factory.getbasetemp() / "models"))


def compared(folder: Path, algorithm: str, **values: Any) -> PpoConfig:
    """Two rollouts of four prompts with two answers each; four steps per rollout."""
    return ppo_given.ppo(
        folder, algorithm=algorithm, rollout={"prompts": 4, "per_prompt": 2}, **values
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_two_rollouts_give_a_result_and_figures_that_are_numbers(
    tmp_path: Path, algorithm: str
) -> None:
    run = RunDir(tmp_path / "run")
    final = ppo.run(compared(tmp_path, algorithm), run)

    rows = curve(run)
    assert [(row["step"], row["phase"]) for row in rows] == [
        (0, "eval"),
        (4, "train"),
        (4, "eval"),
        (8, "train"),
        (8, "eval"),
    ]
    assert all(math.isfinite(v) for row in rows for k, v in row.items() if k != "phase")
    shared = {"objective/scores", "objective/kl", "completions/mean_length", "completions/eos_rate"}
    assert all(shared <= row.keys() for row in rows)
    assert rows[0]["objective/kl"] == 0
    assert rows[-1]["objective/kl"] != 0
    lineage = json.loads((final / "training.json").read_text())
    assert lineage["config"]["algorithm"] == algorithm
    assert lineage["evaluation"]["score"]["n"] == 8
    weights = load_file(final / "adapter" / "adapter_model.safetensors")
    assert any(value.abs().sum() > 0 for name, value in weights.items() if "lora_B" in name)


@pytest.mark.parametrize("algorithm", ["rloo", pytest.param("grpo", marks=pytest.mark.full)])
def test_a_cancelled_run_goes_on_with_the_same_curve(tmp_path: Path, algorithm: str) -> None:
    config = compared(tmp_path, algorithm, optim={"max_steps": 12})
    wanted, run = RunDir(tmp_path / "whole"), RunDir(tmp_path / "cancelled")
    ppo.run(config, wanted)

    first = compared(
        tmp_path, algorithm, optim={"max_steps": 12}, output={"eval_every": 8, "save_every": 12}
    )
    _cancel_at(run, 8, first)  # as it looks at held-out prompts
    assert run.last_checkpoint().name == "checkpoint-8"
    assert [row["phase"] for row in curve(run) if row["step"] == 8] == ["train"]
    run.allow()
    ppo.run(config, run)

    ours, theirs = ([row for row in curve(r) if row["step"] in (8, 12)] for r in (run, wanted))
    assert ours == theirs
    for name, value in load_file(run.final / "adapter" / "adapter_model.safetensors").items():
        other = load_file(wanted.final / "adapter" / "adapter_model.safetensors")[name]
        assert torch.equal(value, other)


def test_an_sft_adapter_is_the_reference_and_the_reward_shares_the_base(tmp_path: Path) -> None:
    lora = {"r": 4, "alpha": 8}
    sft = ppo_given.sft_run(tmp_path, path="tiny", lora=lora)
    rm = ppo_given.rm_run(tmp_path, path=str(sft), lora=lora)
    run = RunDir(tmp_path / "run")

    ppo.run(compared(tmp_path, "rloo", path=sft, reward=str(rm)), run)

    rows = curve(run)
    assert rows[0]["objective/kl"] == 0
    assert rows[1]["objective/scores"] != 0
    assert abs(rows[-1]["objective/kl"]) < 5


def _cancel_at(run: RunDir, step: int, config: PpoConfig) -> None:
    """Ask the run to end when it has come to `step`."""
    add = RunDir.add_metrics

    def cancel(self: RunDir, at: int, *args: Any, **kwargs: Any) -> None:
        add(self, at, *args, **kwargs)
        if at == step:
            self.cancel()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunDir, "add_metrics", cancel)
        with pytest.raises(Cancelled):
            ppo.run(config, run)
