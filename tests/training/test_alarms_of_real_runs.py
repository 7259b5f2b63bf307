"""Alarms on real runs of the tiny model: twenty steps that go wrong, and runs that learn.

PPO is logged as the shipped configs log it, four steps a row.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.training import ppo_given, small
from training import alarms, ppo, reward, sft
from training import config as configs
from training.rundir import RunDir, read_lines

pytestmark = pytest.mark.slow
QUIET = {"eval_every": 10, "save_every": 100, "samples": 0}
FOUR_STEPS_EACH = {"epochs": 2, "minibatch": 8, "micro_batch": 8}


@pytest.fixture(autouse=True)
def _models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_DIR", str(tmp_path_factory.getbasetemp() / "models"))


def _alarms(config: Any, run: RunDir) -> set[str]:
    rows = [_stored(row) for row in read_lines(run.metrics)]
    limits = alarms.limits_of(configs.to_dict(config))
    return {alarm.code for alarm in alarms.look(rows, limits)}


def _stored(row: dict[str, Any]) -> dict[str, Any]:
    """As the database has it: null where there was no number."""
    broken = {k for k, v in row.items() if isinstance(v, float) and not math.isfinite(v)}
    return {k: None if k in broken else v for k, v in row.items()}


def _supervised(folder: Path, stage: str, lr: float) -> set[str]:
    config = small.config(stage, folder, optim={"lr": lr, "max_steps": 20}, output=QUIET)
    run = RunDir(folder / "run")
    (sft if stage == "sft" else reward).run(config, run)
    return _alarms(config, run)


def _ppo(folder: Path, *, steps: int = 20, lr: float, **values: Any) -> set[str]:
    plain = {
        "optim": {"lr": lr, "max_steps": steps, "schedule": "constant"},
        "output": QUIET | {"eval_every": 20},
        "rollout": {"prompts": 16, "max_new_tokens": 32, "batch_size": 16},
        "loss": FOUR_STEPS_EACH,
    }
    config = ppo_given.ppo(folder, **(plain | values))
    run = RunDir(folder / "run")
    ppo.run(config, run)
    return _alarms(config, run)


@pytest.mark.parametrize("stage", ["sft", "rm"])
def test_a_run_that_learns_is_quiet(tmp_path: Path, stage: str) -> None:
    assert _supervised(tmp_path, stage, 1e-2) == set()


@pytest.mark.parametrize(("stage", "code"), [("sft", "loss_does_not_fall"), ("rm", "guesses")])
def test_a_run_without_a_learning_rate_is_noticed(tmp_path: Path, stage: str, code: str) -> None:
    assert _supervised(tmp_path, stage, 0.0) == {code}


@pytest.mark.parametrize("stage", ["sft", "rm", "ppo"])
def test_the_shipped_configs_are_quiet(tmp_path: Path, stage: str) -> None:
    pipeline = {"sft": sft, "rm": reward, "ppo": ppo}[stage]
    data = small.pairs(tmp_path) if stage == "rm" else small.conversations(tmp_path)
    where = json.dumps([{"path": data}])
    config = configs.load(f"tiny-{stage}", [f"data.sources={where}", "threads=1"])
    run = RunDir(tmp_path / "run")

    pipeline.run(config, run)

    assert len(list(read_lines(run.metrics))) > 2
    assert _alarms(config, run) == set()


def test_a_policy_without_room_to_end_is_noticed(tmp_path: Path) -> None:
    rollout = {"prompts": 16, "max_new_tokens": 2, "batch_size": 16}

    assert _ppo(tmp_path, lr=1e-3, rollout=rollout) == {"answers_never_end"}


@pytest.mark.full
def test_a_policy_that_learns_is_quiet(tmp_path: Path) -> None:
    rollout = {"prompts": 32, "max_new_tokens": 32, "batch_size": 32}
    loss = {"epochs": 2, "minibatch": 16, "micro_batch": 16}
    # With a penalty it would rightly learn to end, and answers would grow shorter.
    score = {"missing_eos_penalty": 0.0}

    assert _ppo(tmp_path, steps=160, lr=3e-3, rollout=rollout, loss=loss, score=score) == set()


@pytest.mark.full
def test_a_policy_that_takes_too_large_steps_is_noticed(tmp_path: Path) -> None:
    assert "kl_over_budget" in _ppo(tmp_path, lr=0.1)


@pytest.mark.full
def test_a_policy_that_nothing_holds_is_noticed(tmp_path: Path) -> None:
    kl = {"control": "fixed", "coefficient": 0.0, "budget": 5.0}

    assert {"kl_is_free", "kl_over_budget"} <= _ppo(tmp_path, lr=0.03, kl=kl)
