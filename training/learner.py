"""The learner of PPO: one rollout, one update, and all that must survive a crash.

Several processes each take their share of a rollout and add up their gradients.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import get_scheduler

from training import memory, ppo_math, rollouts
from training.adapters import SharedBase
from training.config import OptimConfig, PpoConfig, ScoreConfig
from training.policy import Figures, Policy, described
from training.rollouts import Answers, Measured
from training.scoring import Turns


@dataclass(frozen=True)
class Rollout:
    """Answers with all that the update needs; `(N, T)` but for `scores`, `(N,)`."""

    answers: Answers
    measured: Measured
    scores: Tensor  # as the reward model gave them
    advantages: Tensor
    returns: Tensor


class Learner:
    """Base, optimizer, schedule, running statistics and KL controller.

    `step` counts optimizer steps as planned: those that an early stop leaves out count too.
    `saved` is the step of the newest checkpoint.
    """

    def __init__(self, policy: Policy, *, steps: int) -> None:
        self.policy = policy
        self.config, self.base, self.team = policy.config, policy.base, policy.team
        config = self.config
        self.step = self.saved = 0
        self.optimizer = optimizer(config, self.base)
        optim = config.optim
        self.schedule = get_scheduler(optim.schedule, self.optimizer, optim.warmup_steps, steps)
        self.moments = ppo_math.RunningMoments()
        kl = config.kl
        self.controller = ppo_math.KlController(
            kl.coefficient, kl.target, kl.horizon if kl.control == "adaptive" else 0
        )

    def collect(
        self,
        prompts: Sequence[Turns],
        ids: Sequence[list[int]],
        *,
        seed: int,
        stop: Callable[[], bool],
    ) -> tuple[Rollout, Figures]:
        """Draw, score and measure an answer to each prompt.

        Raises rollouts.Interrupted and rollouts.NotFinite.

        Until the answers are drawn nothing of the learner changes.
        """
        began = time.perf_counter()
        answers = self.policy.draw(ids, seed=seed, stop=stop)
        drawn = time.perf_counter()
        scores = self.policy.score(prompts, answers).to(self.base.device)
        measured = self.policy.measure(answers)
        rollout, figures = self._rewarded(answers, scores, measured)
        figures |= {
            "time/generate_s": drawn - began,
            "time/score_s": time.perf_counter() - drawn,
            "rollout/tokens": float(sum(self.team.everyone([answers.tokens]))),
        }
        return rollout, figures

    def update(self, rollout: Rollout) -> Figures:
        """All epochs, or fewer if the policy runs away. Raises rollouts.NotFinite."""
        began = time.perf_counter()
        loss = self.config.loss
        size, count = loss.minibatch // self.team.size, len(rollout.answers)
        found: dict[str, list[float]] = defaultdict(list)
        went_too_far = False
        self.base.model.train()  # gradients are checkpointed in this mode only
        for _ in range(loss.epochs):
            chance = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step)
            order = rollouts.shuffled(rollout.answers.prompts, chance)
            for at in range(0, count, size):
                if not went_too_far:
                    figures = self._minibatch(rollout, order[at : at + size])
                    went_too_far = self._apply(figures)
                    for name, value in figures.items():
                        found[name].append(value)
                self.schedule.step()
                self.step += 1
        if not self._has_finite_weights():
            raise rollouts.NotFinite("weights are no numbers any more", range(count))
        answers = len(rollout.answers) * self.team.size
        self.controller.update(self._mean_kl(rollout), answers=answers)
        figures = {name: sum(values) / len(values) for name, values in found.items()}
        return figures | {
            "val/ratio_var": variance(found["val/ratio"]),
            "policy/updates": float(len(found["loss"]) - went_too_far),
            "learning_rate": self.schedule.get_last_lr()[0],
            "time/update_s": time.perf_counter() - began,
            "memory/peak_mib": memory.peak_mib(),
        }

    def _minibatch(self, rollout: Rollout, chosen: list[int]) -> Figures:
        """Gradients of the loss per token, and figures. The parameters stay as they are."""
        config, answers = self.config.loss, rollout.answers
        tokens = self.team.total(float(sum(len(answers.responses[i]) for i in chosen)))
        sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=self.base.device))
        for some in rollouts.batches(self.base, answers, chosen, config.micro_batch):
            for name, value in (self._policy(rollout, some) | self._value(rollout, some)).items():
                sums[name] += value.sum() / tokens
        names = list(sums)
        totals = self.team.total_each(torch.stack([sums[name] for name in names])).tolist()
        figures = dict(zip(names, totals, strict=True))
        figures["loss"] = (
            figures["loss/policy_avg"] + config.value_coefficient * figures["loss/value_avg"]
        )
        norms = self._finish_gradients(tokens)
        figures["grad_norm"] = norms["policy"]
        if not all(map(math.isfinite, (figures["loss"], *norms.values()))):
            told = ", ".join(f"{norm} for the {role}" for role, norm in norms.items())
            raise rollouts.NotFinite(f"the loss is {figures['loss']}, its gradient {told}", chosen)
        return figures

    def _policy(self, rollout: Rollout, some: rollouts.Batch) -> dict[str, Tensor]:
        """Backward of the policy's loss, summed over tokens; what it gives is per token."""
        at = (some.answers, some.steps)
        with self.base.using("policy"):
            log_probs = rollouts.log_probs(
                self.base, some, temperature=self.config.rollout.temperature
            )
            found = ppo_math.policy_loss(
                log_probs,
                rollout.measured.log_probs[at],
                rollout.advantages[at],
                clip=self.config.loss.clip,
            )
            found.loss.sum().backward()
        return {
            "loss/policy_avg": found.loss.detach(),
            "policy/clipfrac_avg": found.clipped,
            "policy/approxkl_avg": found.kl,
            "val/ratio": found.ratio,
        }

    def _value(self, rollout: Rollout, some: rollouts.Batch) -> dict[str, Tensor]:
        at, config = (some.answers, some.steps), self.config.loss
        with self.base.using("value"):
            values = rollouts.values(self.base, some)
            loss, clipped = ppo_math.value_loss(
                values, rollout.measured.values[at], rollout.returns[at], clip=config.value_clip
            )
            (config.value_coefficient * loss.sum()).backward()
        return {"loss/value_avg": loss.detach(), "val/clipfrac_avg": clipped}

    def _finish_gradients(self, tokens: float) -> dict[str, float]:
        """Sum over processes, mean over tokens, bounded for each network apart: their norms before.

        Together, large errors of a young critic would leave the policy next to nothing.
        """
        norms = {}
        for role in ("policy", "value"):
            parameters = list(self.base.learning(role).values())
            for parameter in parameters:
                assert parameter.grad is not None  # or an adapter was not in the forward
                parameter.grad = self.team.total_each(parameter.grad) / tokens
            bound = self.config.optim.max_grad_norm
            norms[role] = float(torch.nn.utils.clip_grad_norm_(parameters, bound))
        return norms

    def _has_finite_weights(self) -> bool:
        weights = [w for role in ("policy", "value") for w in self.base.learning(role).values()]
        return all(bool(torch.isfinite(weight).all()) for weight in weights)

    def _apply(self, figures: Figures) -> bool:
        """Step, unless the policy has left the one that drew by more than `max_kl`: then True."""
        bound = self.config.loss.max_kl
        went_too_far = bound is not None and figures["policy/approxkl_avg"] > bound
        if not went_too_far:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return went_too_far

    def _rewarded(
        self, answers: Answers, scores: Tensor, measured: Measured
    ) -> tuple[Rollout, Figures]:
        config, mask, kl = self.config, measured.mask, self.policy.kl(measured)
        ended = torch.tensor(answers.ended, device=self.base.device)
        compared = self._compared(scores, answers)
        self.moments.add(torch.tensor(self.team.everyone(compared.tolist())))
        final = as_reward(compared, ended, config.score, self.moments)
        coefficient = self.controller.coefficient
        rewards = ppo_math.token_rewards(final, kl, mask, coefficient=coefficient)
        advantages, returns = ppo_math.gae(
            rewards, measured.values, mask, gamma=config.loss.gamma, lam=config.loss.lam
        )
        among = torch.tensor(self.team.everyone(advantages[mask.bool()].tolist()))
        whitened = ppo_math.whiten(advantages, mask, among=among)
        rollout = Rollout(answers, measured, scores, whitened, returns)
        non_score = -coefficient * (kl * mask).sum(dim=1)
        figures = described(answers, scores, measured, kl) | {
            "objective/non_score_reward": float(non_score.mean()),
            "objective/rlhf_reward": float((non_score + final).mean()),
            "objective/kl_coef": coefficient,
            "val/explained_variance": ppo_math.explained_variance(measured.values, returns, mask),
        }
        figures = self.team.means(figures)
        count = len(answers) * self.team.size
        figures["val/num_eos_tokens"] = figures["completions/eos_rate"] * count
        return rollout, figures

    def _compared(self, scores: Tensor, answers: Answers) -> Tensor:
        """Less the baseline that `score.baseline` names, `(N,)`."""
        if self.config.score.baseline == "none":
            return scores
        everyones = torch.tensor(self.team.in_order(scores.tolist()), device=scores.device)
        prompts = self.team.in_order([tuple(prompt) for prompt in answers.prompts])
        return self.team.share(ppo_math.less_others(everyones, prompts))

    def _mean_kl(self, rollout: Rollout) -> float:
        kl = (self.policy.kl(rollout.measured) * rollout.measured.mask).sum(dim=1).mean()
        return self.team.means({"kl": float(kl)})["kl"]


def as_reward(
    scores: Tensor, ended: Tensor, config: ScoreConfig, moments: ppo_math.RunningMoments
) -> Tensor:
    """Scores `(N,)` whitened, clipped, and less the penalty of answers that were cut off."""
    whitened = moments.whiten(scores) if config.whiten else scores
    clipped = whitened.clamp(-config.clip, config.clip)
    return ppo_math.penalise_missing_end(clipped, ended, penalty=config.missing_eos_penalty)


def optimizer(config: PpoConfig, base: SharedBase) -> torch.optim.Optimizer:
    optim: OptimConfig = config.optim
    groups: list[dict[str, Any]] = [
        {"params": list(base.learning("policy").values()), "lr": optim.lr},
        {"params": list(base.learning("value").values()), "lr": config.loss.value_lr or optim.lr},
    ]
    options: dict[str, Any] = {"betas": optim.betas, "weight_decay": optim.weight_decay}
    if optim.eight_bit:
        from bitsandbytes.optim import AdamW8bit

        eight_bit: torch.optim.Optimizer = AdamW8bit(groups, **options)
        return eight_bit
    return torch.optim.AdamW(groups, **options)


def variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)
