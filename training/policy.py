"""A policy that answers: with what it is asked to answer, how it is scored and who takes part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from training import modeling, ppo_math, rollouts
from training.adapters import SharedBase
from training.config import PpoConfig
from training.rewards import Scorer
from training.rollouts import Answers, Measured
from training.team import Team

Figures = dict[str, float]


@dataclass(frozen=True)
class Policy:
    """The policy's adapter on its base, with all that drawing and scoring need."""

    config: PpoConfig
    base: SharedBase
    tokenizer: PreTrainedTokenizerBase
    score: Scorer
    team: Team

    def draw(self, ids: Sequence[list[int]], *, seed: int, stop: Callable[[], bool]) -> Answers:
        """An answer to each prompt of this process; all processes share one matrix of chance."""
        config = self.config.rollout
        chance = rollouts.uniforms(len(ids) * self.team.size, config.max_new_tokens, seed=seed)
        return rollouts.draw(
            self.base, ids, config, chance=self.team.share(chance), ends=self.ends(), stop=stop
        )

    def measure(self, answers: Answers, *, with_values: bool = True) -> Measured:
        return rollouts.measure(
            self.base,
            answers,
            micro_batch=self.config.loss.micro_batch,
            temperature=self.config.rollout.temperature,
            with_values=with_values,
        )

    def kl(self, measured: Measured) -> Tensor:
        """Per token, as configured."""
        return ppo_math.kl_estimate(
            measured.log_probs, measured.ref_log_probs, estimator=self.config.kl.estimator
        )

    def ends(self) -> set[int]:
        """The tokens that end an answer."""
        return modeling.ends(self.base.causal)


def described(answers: Answers, scores: Tensor, measured: Measured, kl: Tensor) -> Figures:
    """What is worth a curve about drawn answers, under the names that trl documents.

    KL and entropy are nats per answer, `policy/entropy_avg` is nats per token.
    """
    mask = measured.mask
    return {
        "objective/scores": float(scores.mean()),
        "objective/scores_std": float(scores.std(correction=0)),
        "objective/kl": float((kl * mask).sum(dim=1).mean()),
        "objective/entropy": float((-measured.log_probs * mask).sum(dim=1).mean()),
        "policy/entropy_avg": float(ppo_math.masked_mean(measured.entropy, mask)),
        "completions/mean_length": answers.tokens / len(answers),
        "completions/eos_rate": sum(answers.ended) / len(answers),
    }
