"""What tests of PPO start from: prompts, tiny SFT and RM runs, configs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from training import config as configs
from training import reward, sft
from training.config import PpoConfig
from training.rundir import RunDir
from training.team import Team

NOUNS = "cat dog mat log page model word number sign moon river house".split()


def prompts(folder: Path, count: int = 60) -> Path:
    """Conversations of one question and one answer each."""
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Tell me {number} things about the {noun}."},
                {"role": "assistant", "content": f"The {noun} sat on the mat, {number} times."},
            ]
        }
        for number, noun in ((n, NOUNS[n % len(NOUNS)]) for n in range(count))
    ]
    return _write(folder / "prompts.jsonl", rows)


def pairs(folder: Path, count: int = 24) -> Path:
    """Pairs in which the answer in letters is better than the one in digits."""
    rows = [
        {"prompt": f"Say {n} words.", "chosen": "the cat sat there", "rejected": f"{n} 1 2 3 4"}
        for n in range(count)
    ]
    return _write(folder / "pairs.jsonl", rows)


def sft_run(folder: Path, **model: Any) -> Path:
    """The result of an SFT run whose adapter has moved."""
    values = {"name": "sft", "model": model, "data": _data(prompts(folder)), **_quick()}
    return sft.run(configs.build(values, stage="sft"), RunDir(folder / "sft"))


def rm_run(folder: Path, **model: Any) -> Path:
    values = {"name": "rm", "model": model, "data": _data(pairs(folder)), **_quick()}
    return reward.run(configs.build(values, stage="rm"), RunDir(folder / "rm"))


def ppo(folder: Path, path: Path | str = "tiny", **values: Any) -> PpoConfig:
    """Four optimizer steps per rollout, two rollouts."""
    plain = {
        "name": "ppo",
        "model": {"path": str(path), "lora": {"r": 4, "alpha": 8}},
        "data": _data(prompts(folder)),
        "reward": "rule:letters",
        "optim": {"lr": 1e-3, "max_steps": 8, "warmup_steps": 0},
        "output": {"eval_every": 4, "save_every": 4, "samples": 1},
        "rollout": {"prompts": 8, "max_new_tokens": 8, "batch_size": 8, "max_prompt_tokens": 64},
        "loss": {"epochs": 2, "minibatch": 4, "micro_batch": 2},
        "threads": 1,
    }
    merged = {
        key: plain[key] | values[key] if isinstance(plain.get(key), dict) else value
        for key, value in values.items()
    }
    config: PpoConfig = configs.build(plain | merged, stage="ppo")
    return config


def with_model(config: PpoConfig, **changes: Any) -> PpoConfig:
    return replace(config, model=replace(config.model, **changes))


def _data(path: Path) -> dict[str, Any]:
    return {"sources": [{"path": str(path)}], "eval_share": 0.2, "max_length": 64, "max_eval": 8}


def _quick() -> dict[str, Any]:
    return {
        "optim": {"lr": 5e-3, "max_steps": 6, "warmup_steps": 0},
        "output": {"eval_every": 6, "save_every": 6, "samples": 0},
        "threads": 1,
    }


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def alone() -> Team:
    """One process."""
    return Team(Accelerator(cpu=True))
