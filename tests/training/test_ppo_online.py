"""RLOO and GRPO: trl's trainers with the config, the rewards and the curves of PPO."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from trl import GRPOConfig, RLOOConfig

from tests.training import ppo_given, programs
from tests.training.test_ppo import curve, same_to_the_last_bit
from training import online, outcome, ppo, ppo_plan
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


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RunDir]:
    """Two rollouts in one go, once for each algorithm."""

    @functools.cache
    def trained(algorithm: str) -> RunDir:
        folder = tmp_path_factory.mktemp(algorithm)
        run = RunDir(folder / "run")
        ppo.run(compared(folder, algorithm), run)
        return run

    return trained


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_answers_to_one_prompt_need_not_fill_micro_batches(tmp_path: Path, algorithm: str) -> None:
    loss = {"minibatch": 6, "micro_batch": 3}
    rollout = {"prompts": 3, "per_prompt": 4}
    config = ppo_given.ppo(tmp_path, algorithm=algorithm, rollout=rollout, loss=loss)
    plan = ppo_plan.plan(config, prompts=9)
    kind = RLOOConfig if algorithm == "rloo" else GRPOConfig

    told = online.arguments(kind, config, plan, RunDir(tmp_path / "run"), evaluates=True)

    assert (told.num_generations, told.per_device_eval_batch_size) == (4, 3)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_two_rollouts_give_a_result_and_figures_that_are_numbers(
    whole: Callable[[str], RunDir], algorithm: str
) -> None:
    run = whole(algorithm)

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
    lineage = json.loads((run.final / "training.json").read_text())
    assert lineage["config"]["algorithm"] == algorithm
    assert lineage["evaluation"]["score"]["n"] == 8
    weights = load_file(run.final / "adapter" / "adapter_model.safetensors")
    assert any(value.abs().sum() > 0 for name, value in weights.items() if "lora_B" in name)


@pytest.mark.parametrize("algorithm", ["rloo", pytest.param("grpo", marks=pytest.mark.full)])
def test_a_cancelled_run_goes_on_with_the_same_curve(
    tmp_path: Path, whole: Callable[[str], RunDir], algorithm: str
) -> None:
    wanted, run = whole(algorithm), RunDir(tmp_path / "cancelled")

    first = compared(tmp_path, algorithm, output={"save_every": 8})
    _cancel_at(run, 4, first)  # as it looks at held-out prompts
    assert run.last_checkpoint().name == "checkpoint-4"
    assert [row["phase"] for row in curve(run) if row["step"] == 4] == ["train"]
    run.allow()
    ppo.run(compared(tmp_path, algorithm), run)

    assert same_to_the_last_bit(run, wanted)


@pytest.mark.parametrize("algorithm", ["rloo", pytest.param("grpo", marks=pytest.mark.full)])
def test_a_run_cancelled_within_a_rollout_ends_after_it(
    tmp_path: Path, whole: Callable[[str], RunDir], algorithm: str
) -> None:
    wanted, run = whole(algorithm), RunDir(tmp_path / "cancelled")

    _cancel_after_status(run, 1, compared(tmp_path, algorithm))
    assert [path.name for path in run.checkpoints.iterdir()] == ["checkpoint-4"]
    assert run.read_status().step == 4
    run.allow()
    ppo.run(compared(tmp_path, algorithm), run)

    assert same_to_the_last_bit(run, wanted)


@pytest.mark.full
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_killed_run_goes_on_with_the_same_curve_to_the_last_bit(
    tmp_path: Path, whole: Callable[[str], RunDir], algorithm: str
) -> None:
    wanted, run = whole(algorithm), RunDir(tmp_path / "killed")
    config = compared(tmp_path, algorithm)

    programs.kill_when(programs.start(config, run), (run.checkpoints / "checkpoint-4").exists)
    assert not run.final.exists()
    assert run.last_checkpoint() == run.checkpoints / "checkpoint-4"
    ppo.run(config, run)

    assert same_to_the_last_bit(run, wanted)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    ("loss", "eval_every"),
    [
        pytest.param({"epochs": 2, "minibatch": 4}, 8, id="in the same rollout"),
        pytest.param({"epochs": 1, "minibatch": 8}, 8, id="in the next rollout"),
        pytest.param({"epochs": 1, "minibatch": 8}, 1, id="in the look at held-out prompts"),
    ],
)
def test_a_loss_that_is_no_number_ends_the_run_with_the_answers(
    tmp_path: Path, algorithm: str, loss: dict[str, int], eval_every: int
) -> None:
    run = RunDir(tmp_path / "run").make()
    config = compared(
        tmp_path,
        algorithm,
        loss=loss,
        optim={"lr": 1e30},
        output={"eval_every": eval_every, "save_every": 8},
    )

    assert outcome.guarded(config, run) == outcome.FAILED

    assert "Start again with a lower optim.lr (it is 1e+30)" in run.read_status().message
    batch = json.loads((run.path / "bad-batch.json").read_text())
    assert len(batch["texts"]) == len(batch["completion_ids"]) == 2
    assert "Tell me" in batch["texts"][0]
    assert not run.final.exists()


@pytest.mark.full
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_run_that_found_too_little_memory_goes_on_in_smaller_batches(
    tmp_path: Path, algorithm: str
) -> None:
    # Rounding differs, and must not decide which token is drawn.
    hardly: dict[str, Any] = {"optim": {"lr": 1e-6}}
    wanted, run = RunDir(tmp_path / "whole"), RunDir(tmp_path / "run")
    ppo.run(compared(tmp_path, algorithm, **hardly), wanted)
    _cancel_after_status(run, 1, compared(tmp_path, algorithm, **hardly))
    run.allow()
    rollout = {"prompts": 4, "per_prompt": 2, "batch_size": 2}
    less = {"loss": {"micro_batch": 1}, "rollout": rollout}
    ppo.run(ppo_given.ppo(tmp_path, algorithm=algorithm, **less, **hardly), run)

    for ours, theirs in zip(curve(run), curve(wanted), strict=True):
        for name in ("objective/scores", "completions/mean_length"):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-3)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_drawn_is_what_ppo_would_draw(
    tmp_path: Path, algorithm: str, whole: Callable[[str], RunDir]
) -> None:
    run = RunDir(tmp_path / "ppo")
    ppo.run(compared(tmp_path, "ppo"), run)

    ours, theirs = (curve(r)[1] for r in (whole(algorithm), run))

    for name in ("objective/scores", "completions/mean_length", "completions/eos_rate"):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-6)


def _cancel_after_status(run: RunDir, step: int, config: PpoConfig) -> None:
    """Ask the run to end when it has told that it has come to `step`."""
    write = RunDir.write_status

    def cancel(self: RunDir, *args: Any, **kwargs: Any) -> None:
        write(self, *args, **kwargs)
        if kwargs["step"] == step:
            self.cancel()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunDir, "write_status", cancel)
        with pytest.raises(Cancelled):
            ppo.run(config, run)


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
