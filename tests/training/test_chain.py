"""From real trees to a policy with the small real model, two steps each, by our own configs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training import checkpoints, modeling, outcome
from training import config as configs
from training.rundir import RunDir

pytestmark = [
    pytest.mark.full,
    pytest.mark.slow,
    pytest.mark.real_data,
    pytest.mark.real_model,
]

SMALL = [
    "data.max_length=96",
    "data.eval_share=0.2",
    "data.max_train=8",
    "data.max_eval=2",
    "optim.max_steps=2",
    "output.eval_every=2",
    "output.save_every=2",
    "output.samples=1",
]
FEW = ["optim.batch_size=2", "optim.warmup_steps=0"]
PPO = [
    "rollout.max_prompt_tokens=200",
    "rollout.prompts=2",
    "rollout.max_new_tokens=8",
    "loss.epochs=2",
    "loss.minibatch=2",
    "loss.micro_batch=2",
]


@pytest.fixture
def trees(data_folder: Path) -> str:
    return str(data_folder / "oasst" / "oasst1_en_validation.dev.trees.jsonl.gz")


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    if not (modeling.models_dir() / "smollm2-135m").is_dir():
        pytest.skip("manage.py fetch_model smollm2-135m was not run")
    return "smollm2-135m"


def test_sft_then_reward_model_then_ppo(trees: str, base: str, tmp_path: Path) -> None:
    def stage(name: str, *overrides: str) -> RunDir:
        source = f"data.sources=[{{path: {trees}}}]"
        run = RunDir(tmp_path / name).make()
        config = configs.load(f"smollm2-{name}", [source, *SMALL, *overrides])
        assert outcome.guarded(config, run) == outcome.DONE, run.read_status().message
        return run

    sft = stage("sft", f"model.path={base}", "output.sample_tokens=4", *FEW)
    rm = stage("rm", f"model.path={sft.final}", *FEW)
    ppo = stage("ppo", f"model.path={sft.final}", f"reward={rm.final}", *PPO)

    assert family(ppo.final) == {"ppo": base, "sft": base, "rm": base}
    assert finite(json.loads(ppo.evaluation.read_text()))
    assert (ppo.final / "adapter" / "adapter_model.safetensors").is_file()


def family(folder: Path) -> dict[str, str]:
    """Of a result and all its parents, the base they stand on."""
    record = checkpoints.read_lineage(folder)
    found = {record["stage"]: record["base_model"]["path"]}
    for parent in record["parents"]:
        found |= family(modeling.resolve(parent["path"]))
    return found


def finite(figures: dict[str, Any]) -> bool:
    values = [f["value"] for f in figures.values() if isinstance(f, dict) and "value" in f]
    return bool(values) and all(value is not None for value in values)
