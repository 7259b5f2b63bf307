"""What a rollout of PPO costs, and the memory of four models on one base beside four bases.

Each arrangement runs in a process of its own, with the same learner, prompts and chance. By hand,
`python -m tests.benchmarks.training_ppo apart CONFIG` beside `shared` shows what it saves to read a
prompt once for several answers: `rollout.per_prompt` of the config must be above 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROLLOUTS = 2  # the first warms up
PROMPT = "Write a few words about {noun}, and say why they matter to you."
NOUNS = "rain bread rivers maps clocks gardens bridges letters winter music glass trains".split()
Say = Callable[..., None]


@dataclass(frozen=True)
class Load:
    """How much of everything. `quantization` as in a config."""

    model: str = "smollm2-135m"
    prompts: int = 8
    tokens: int = 32
    quantization: str = "none"


def measure(load: Load | None = None, *, say: Say) -> dict[str, Any]:
    """Give the figures of design.md 10: seconds are of one rollout of `tokens`."""
    load = load or Load()
    with tempfile.TemporaryDirectory() as folder:
        config = prepare(load, Path(folder))
        found = {}
        for arrangement in ("shared", "separate"):
            found[arrangement] = _in_its_own_process(arrangement, config)
            say(f"ppo, {arrangement}: {found[arrangement]}")
    shared = found["shared"]
    per_1000 = 1000 / shared["tokens"]
    return {
        "model": load.model,
        "quantization": load.quantization,
        **{name: round(shared[name], 2) for name in ("generate_s", "score_s", "update_s")},
        "tokens": int(shared["tokens"]),
        "s_per_1000_tokens": {
            name: round(shared[f"{name}_s"] * per_1000, 2)
            for name in ("generate", "score", "update")
        },
        "peak_mib": round(shared["peak_mib"]),
        "naive_peak_mib": round(found["separate"]["peak_mib"]),
    }


def prepare(load: Load, folder: Path) -> Path:
    """A reward model's adapter of one step, prompts, and the config of PPO with both."""
    from training import config as configs
    from training import reward
    from training.rundir import RunDir

    base = {"path": load.model, "lora": {"r": 16, "alpha": 32, "dropout": 0.0}}
    pairs = [
        {"prompt": PROMPT.format(noun=noun), "chosen": f"I like {noun}.", "rejected": "No."}
        for noun in NOUNS
    ]
    rows = [{"prompt": PROMPT.format(noun=noun)} for noun in NOUNS]
    quick = {"optim": {"max_steps": 1, "batch_size": 1}, "output": {"weights": "adapter"}}
    rm = {"name": "rm", "model": base, "data": _data(folder / "pairs.jsonl", pairs), **quick}
    reward.run(configs.build(rm, stage="rm"), RunDir(folder / "rm"))
    ppo = {
        "name": "ppo",
        "model": base | {"quantization": load.quantization},
        "data": _data(folder / "prompts.jsonl", rows),
        "reward": str(folder / "rm" / "final"),
        "rollout": {"prompts": load.prompts, "max_new_tokens": load.tokens},
        "loss": {"epochs": 2, "minibatch": load.prompts, "micro_batch": 4},
    }
    file = folder / "ppo.yaml"
    file.write_text(configs.to_yaml(configs.build(ppo, stage="ppo")), encoding="utf-8")
    return file


def _data(path: Path, rows: list[dict[str, str]]) -> dict[str, Any]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return {"sources": [{"path": str(path)}], "eval_share": 0.0, "max_length": 64}


def _in_its_own_process(arrangement: str, config: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.training_ppo", arrangement, str(config)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


# In the process of an arrangement


class FourBases:
    """What `adapters.SharedBase` is to a learner, with a whole model for each role."""

    def __init__(self, config: Any) -> None:
        from training import adapters

        self._bases = {}
        for role in adapters.NAMES:
            self._bases[role], self.tokenizer = adapters.load(config, alone=role == "policy")
            for other in {"ref", "critic", "reward"} - {adapters.NAMES[role]}:
                if role != "policy" and other in self._bases[role].model.peft_config:
                    self._bases[role].model.delete_adapter(other)
        self._role = "policy"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bases[self._role], name)

    @contextmanager
    def using(self, role: Any) -> Iterator[None]:
        before, self._role = self._role, role
        try:
            with self._bases[role].using(role):
                yield
        finally:
            self._role = before

    def head(self, role: Any, states: Any) -> Any:
        return self._bases[role].head(role, states)

    def learning(self, role: Any) -> Any:
        return self._bases[role].learning(role)


def _run(arrangement: str, file: str) -> dict[str, float]:
    from accelerate import Accelerator

    from training import adapters, memory, modeling, ppo_plan, rewards
    from training import config as configs
    from training import data as datas
    from training.learner import Learner
    from training.policy import Policy
    from training.team import Team

    config = configs.load(file)
    modeling.environment(config)
    base: Any
    if arrangement in ("shared", "apart"):
        base, tokenizer = adapters.load(config)
        base.can_share = base.can_share and arrangement == "shared"
    else:
        base = FourBases(config)
        tokenizer = base.tokenizer
    prompts = ppo_plan.fitting(datas.prompts(config.data).train, tokenizer, config)
    score = rewards.scorer(config, base, tokenizer)
    team = Team(Accelerator(cpu=base.device.type == "cpu"))
    learner = Learner(Policy(config, base, tokenizer, score, team), steps=100)
    figures: dict[str, float] = {}
    for number in range(ROLLOUTS):
        chosen = ppo_plan.chosen_prompts(prompts, config, number)
        turns, ids = [p.messages for p in chosen], [p.ids for p in chosen]
        rollout, collected = learner.collect(turns, ids, seed=number, stop=lambda: False)
        figures = collected | learner.update(rollout)
    names = {
        "generate_s": "time/generate_s",
        "score_s": "time/score_s",
        "update_s": "time/update_s",
        "tokens": "rollout/tokens",
    }
    return {ours: figures[name] for ours, name in names.items()} | {"peak_mib": memory.peak_mib()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_run(sys.argv[1], sys.argv[2])) + "\n")
