"""Looks at a policy on held-out prompts while it learns, and compares its end with its start.

Every look draws from the same chance, so that looks differ by the policy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from training import rewards, samples
from training.figures import Bootstrap, mean
from training.policy import Learner, described
from training.rundir import RunDir

Look = dict[str, list[float]]  # "scores" and "kl", one number per held-out prompt


@dataclass(frozen=True)
class Prompt:
    """A conversation that waits for an answer, and its tokens. `tree` is where it comes from."""

    messages: rewards.Turns
    ids: list[int]
    tree: str


class Judge:
    """`first` and `last` are looks; `looked_at` is the step of the last one."""

    def __init__(
        self, learner: Learner, prompts: Sequence[Prompt], run: RunDir, *, seed: int
    ) -> None:
        self.learner, self.prompts, self.run, self.seed = learner, prompts, run, seed
        self.first: Look = {}
        self.last: Look = {}
        self.looked_at = -1

    def look(self, stop: Callable[[], bool]) -> None:
        """Answer, score and write down. Raises rollouts.Interrupted."""
        if self.prompts:
            self._look(stop)
        self.looked_at = self.learner.step

    def _look(self, stop: Callable[[], bool]) -> None:
        learner, team = self.learner, self.learner.team
        mine = team.even_share(self.prompts)
        answers = learner.draw([prompt.ids for prompt in mine], seed=self.seed, stop=stop)
        scores = learner.score([prompt.messages for prompt in mine], answers)
        measured = learner.measure(answers, with_values=False)
        kl = learner.kl(measured) * measured.mask
        figures = team.means(described(answers, scores.to(kl.device), measured, kl))
        count = len(self.prompts)
        self.last = {
            "scores": team.in_order(scores.tolist())[:count],
            "kl": team.in_order(kl.sum(dim=1).tolist())[:count],
        }
        self.first = self.first or self.last
        texts = team.in_order(rewards.texts(answers, learner.tokenizer))
        if team.is_first:
            for index, prompt in enumerate(self.prompts[: learner.config.output.samples]):
                shown = [{"text": texts[index], "score": self.last["scores"][index]}]
                self.run.add_samples(learner.step, samples.shown(prompt.messages), shown)
            self.run.add_metrics(learner.step, figures, phase="eval")

    def compare(self) -> dict[str, Any]:
        """Score before and after, the gain of each prompt, and KL, with intervals over trees.

        `gain_in_deviations` is the gain over the deviation of the scores before.
        """
        if not self.prompts:
            return {"stage": "ppo", "n": 0}
        trees = [prompt.tree for prompt in self.prompts]
        how = Bootstrap(seed=self.seed % 2**32)
        gains = torch.tensor(self.last["scores"]) - torch.tensor(self.first["scores"])
        spread = float(np.std(self.first["scores"])) or 1.0
        found = {
            "score_before": self.first["scores"],
            "score": self.last["scores"],
            "gain": gains.tolist(),
            "gain_in_deviations": (gains / spread).tolist(),
            "kl": self.last["kl"],
        }
        figures = {name: mean(each, trees, how).to_dict() for name, each in found.items()}
        return {"stage": "ppo", "n": len(trees), **figures}
