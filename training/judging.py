"""Looks at a policy on held-out prompts while it learns, and compares its end with its start.

Every look draws from the same chance, so that looks differ by the policy alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from training import adapters, checkpoints, plots, rewards, samples, trainers
from training.figures import Bootstrap, endings, mean
from training.policy import Policy, described
from training.ppo_plan import Prompt
from training.rundir import RunDir, read_lines


class Judge:
    """Draws the same way at each look. What it finds lies in the run's folder `evaluations`."""

    def __init__(
        self, policy: Policy, prompts: Sequence[Prompt], run: RunDir, *, seed: int
    ) -> None:
        self.policy, self.prompts, self.run, self.seed = policy, prompts, run, seed
        self.known = rewards.known_accuracy(policy.config)

    def has_looked(self, step: int) -> bool:
        """Of this attempt or of one that this one goes on from."""
        rows = read_lines(self.run.metrics)
        return any(row["step"] == step and row["phase"] == "eval" for row in rows)

    def look(self, step: int, stop: Callable[[], bool]) -> None:
        """Answer, score and write down. Raises rollouts.Interrupted."""
        if not self.prompts:
            return
        policy, team = self.policy, self.policy.team
        mine = team.even_share(self.prompts)
        answers = policy.draw([prompt.ids for prompt in mine], seed=self.seed, stop=stop)
        scores = policy.score([prompt.messages for prompt in mine], answers)
        measured = policy.measure(answers, with_values=False)
        kl = policy.kl(measured) * measured.mask
        figures = team.means(described(answers, scores.to(kl.device), measured, kl))
        found = {
            "score": team.in_order(scores.tolist()),
            "kl": team.in_order(kl.sum(dim=1).tolist()),
            "ended": team.in_order([float(ended) for ended in answers.ended]),
            "length": team.in_order([len(response) for response in answers.responses]),
            "text": team.in_order(rewards.texts(answers, policy.tokenizer)),
        }
        if team.is_first:
            self._write(step, found, figures)
        team.wait()

    def compare(self) -> dict[str, Any]:
        """Score before and after, the gain of each prompt, KL, and how answers end, with intervals
        over trees.

        `gain_in_deviations` is the gain over the deviation of the scores before.
        """
        if not self.prompts:
            return {"stage": "ppo", "n": 0}
        looks = sorted(self.run.evaluations.glob("*.json"), key=lambda path: int(path.stem))
        first, last = (json.loads(looks[at].read_text(encoding="utf-8")) for at in (0, -1))
        gains = np.asarray(last["score"]) - np.asarray(first["score"])
        spread = float(np.std(first["score"])) or 1.0
        found = {
            "score_before": first["score"],
            "score": last["score"],
            "gain": gains,
            "gain_in_deviations": gains / spread,
            "kl": last["kl"],
        }
        trees = [prompt.tree for prompt in self.prompts]
        how = Bootstrap(seed=self.seed % 2**32)
        figures = {name: mean(each, trees, how).to_dict() for name, each in found.items()}
        figures |= endings(first, last, trees, how)
        return {"stage": "ppo", "n": len(trees), **figures}

    def _write(self, step: int, found: dict[str, list[Any]], figures: dict[str, float]) -> None:
        count = len(self.prompts)
        found = {name: values[:count] for name, values in found.items()}
        self.run.evaluations.mkdir(exist_ok=True)
        checkpoints.write_json(self.run.evaluations / f"{step}.json", found)
        shown = self.prompts[: self.policy.config.output.samples]
        for prompt, text, score in zip(shown, found["text"], found["score"], strict=False):
            text_of = samples.shown(prompt.messages)
            self.run.add_samples(step, text_of, [{"text": text, "score": score}])
        self.run.add_metrics(step, figures | self.known, phase="eval")


def finish(policy: Policy, judge: Judge, run: RunDir) -> Path:
    """Compare the end with the start, and save the policy as any other result."""
    config, team = policy.config, policy.team
    if team.is_first:
        evaluation = judge.compare()
        checkpoints.write_json(run.evaluation, evaluation)
        draw_reward_by_kl(run)
        has_rule = config.reward.startswith(rewards.RULE)
        made_from = [config.model.path] if has_rule else [config.model.path, config.reward]
        checkpoints.write_final(
            run,
            policy.base.model,
            policy.tokenizer,
            replace(config, model=adapters.with_lora(config.model)),
            parents=checkpoints.parents(*made_from),
            data=json.loads(run.data.read_text(encoding="utf-8")),
            metrics=trainers.last_metrics(run),
            evaluation=evaluation,
        )
    team.wait()
    return run.final


def draw_reward_by_kl(run: RunDir) -> None:
    """What each look found: how much reward was bought for how much KL (Gao et al. 2022)."""
    looks = [row for row in read_lines(run.metrics) if row["phase"] == "eval"]
    if not looks:
        return
    points = [(row["objective/kl"], row["objective/scores"]) for row in looks]
    names = [f"step {row['step']}" for row in looks]
    svg = plots.way("Score of held-out prompts, by KL in nats per answer", points, names)
    (run.path / "reward-by-kl.svg").write_text(svg, encoding="utf-8")
