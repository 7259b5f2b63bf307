"""A checkpoint of PPO: all that the next rollout depends on. Written between rollouts only."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from training import ppo_math, rundir
from training.learner import Learner
from training.rundir import RunDir

LEARNED, OPTIMIZER, STATE = "learned.safetensors", "optimizer.pt", "state.json"


def save(run: RunDir, learner: Learner) -> Path:
    """Adapters and head, optimizer, schedule, statistics, KL controller, chance of each process."""
    path = run.checkpoints / f"{rundir.PREFIX}{learner.step}"
    chances = learner.team.everyone([_chance()])
    if learner.team.is_first:
        folder = rundir.half(path)
        folder.mkdir(parents=True)
        save_file(_learned(learner), folder / LEARNED)
        torch.save(
            {
                "optimizer": learner.optimizer.state_dict(),
                "schedule": learner.schedule.state_dict(),
            },
            folder / OPTIMIZER,
        )
        state = {
            "step": learner.step,
            "moments": asdict(learner.moments),
            "kl_controller": asdict(learner.controller),
            "chances": chances,
        }
        (folder / STATE).write_text(json.dumps(state), encoding="utf-8")
        rundir.publish(folder, path)
        run.drop_older(learner.config.output.keep)
    learner.team.wait()
    learner.saved = learner.step
    return path


def load(checkpoint: Path, learner: Learner) -> None:
    """Put all of a checkpoint back, to the last bit."""
    device = learner.base.device
    weights = load_file(checkpoint / LEARNED, device=str(device))
    with torch.no_grad():
        for name, parameter in _learning(learner).items():
            parameter.copy_(weights[name])
    saved = torch.load(checkpoint / OPTIMIZER, map_location=device, weights_only=True)
    learner.optimizer.load_state_dict(saved["optimizer"])
    learner.schedule.load_state_dict(saved["schedule"])
    state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    learner.step = learner.saved = state["step"]
    learner.moments = ppo_math.RunningMoments(**state["moments"])
    learner.controller = ppo_math.KlController(**state["kl_controller"])
    if learner.team.rank < len(state["chances"]):
        _set_chance(state["chances"][learner.team.rank])


def _learning(learner: Learner) -> dict[str, torch.nn.Parameter]:
    return {
        f"{role}:{name}": parameter
        for role in ("policy", "value")
        for name, parameter in learner.base.learning(role).items()
    }


def _learned(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: p.detach().cpu().contiguous() for name, p in _learning(learner).items()}


def _chance() -> dict[str, Any]:
    """Rollouts draw from seeds of their own; these are for libraries that draw by the way."""
    name, keys, *rest = np.random.get_state(legacy=True)
    found = {
        "python": random.getstate(),
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "torch": torch.get_rng_state().tolist(),
    }
    if torch.cuda.is_available():
        found["cuda"] = torch.cuda.get_rng_state().tolist()
    return found


def _set_chance(state: dict[str, Any]) -> None:
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(torch.tensor(state["torch"], dtype=torch.uint8))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(torch.tensor(state["cuda"], dtype=torch.uint8))
