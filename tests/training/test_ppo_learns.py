"""PPO learns what a known reward asks for, and it is the advantages that teach it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training import ppo_given
from training import checkpoints, ppo, ppo_math
from training.rundir import RunDir, read_lines

pytestmark = [pytest.mark.slow, pytest.mark.full]
KL_BUDGET = 25.0


@pytest.fixture(autouse=True)
def _models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_DIR", str(tmp_path_factory.getbasetemp() / "models"))


def evaluation(folder: Path, seed: int) -> dict[str, Any]:
    """Of 40 rollouts of 8 prompts and 4 answers to each: about fifteen seconds.

    Nothing is taken off for answers that are cut off: what is learned is the rule alone.
    """
    (folder / "many").mkdir()
    path = ppo_given.prompts(folder / "many", 480)
    data = {"sources": [{"path": str(path)}], "eval_share": 0.4, "max_eval": 192}
    config = ppo_given.ppo(
        folder,
        data=data,
        seed=seed,
        model={"path": "tiny", "lora": {"r": 8, "alpha": 16}},
        optim={"lr": 3e-3, "max_steps": 160, "schedule": "constant"},
        output={"eval_every": 160, "save_every": 160},
        rollout={"prompts": 8, "per_prompt": 4, "max_new_tokens": 16, "batch_size": 32},
        score={"baseline": "others", "missing_eos_penalty": 0.0},
        loss={"epochs": 2, "minibatch": 16, "micro_batch": 16},
        kl={"budget": KL_BUDGET},
    )
    run = RunDir(folder / "run")
    ppo.run(config, run)
    last = [row for row in read_lines(run.metrics) if row["phase"] == "eval"][-1]
    found: dict[str, Any] = checkpoints.read_lineage(run.final)["evaluation"]
    return found | {"kl_on_curve": last["objective/kl"]}


def has_learned(found: dict[str, Any]) -> bool:
    """Half a deviation of the scores at the start, with all of the interval above 0."""
    gain = found["gain_in_deviations"]
    return gain["value"] >= 0.5 and gain["low"] > 0 and found["kl"]["value"] <= KL_BUDGET


@pytest.mark.parametrize("seed", range(3))
def test_answers_to_held_out_prompts_come_to_score_better(tmp_path: Path, seed: int) -> None:
    found = evaluation(tmp_path, seed)

    assert found["n"] >= 190
    assert found["score"]["value"] > found["score_before"]["value"]
    assert found["kl"]["value"] == pytest.approx(found["kl_on_curve"], rel=1e-3)
    assert has_learned(found), found


def test_without_advantages_nothing_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gae = ppo_math.gae

    def none(*args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        advantages, returns = gae(*args, **kwargs)
        return torch.zeros_like(advantages), returns

    monkeypatch.setattr(ppo_math, "gae", none)
    found = evaluation(tmp_path, 0)

    assert not has_learned(found)
    assert found["kl"]["value"] == 0
