"""The mathematics of PPO on answers of language models: functions of tensors, no model, no chance.

Shapes: `(N, T)` is answers × tokens of the answer, padded on the right; `mask` is 1.0 on tokens
that were drawn (the end token too) and 0.0 behind them. All quantities are in nats.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-8


def response_mask(lengths: Tensor, width: int) -> Tensor:
    """`(N,)` numbers of tokens to an `(N, width)` mask."""
    return (torch.arange(width, device=lengths.device)[None, :] < lengths[:, None]).float()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)


def masked_variance(values: Tensor, mask: Tensor) -> Tensor:
    """Of the population: divided by the number of values."""
    return masked_mean((values - masked_mean(values, mask)) ** 2, mask)


def kl_estimate(log_probs: Tensor, ref_log_probs: Tensor, *, estimator: str = "k1") -> Tensor:
    """Per token, for tokens drawn from the policy: KL(policy ‖ reference), `(N, T)`.

    k1 = log p/q is unbiased and may be negative; k3 = q/p - 1 + log p/q is unbiased too and never
    negative. Source: Schulman 2020, "Approximating KL divergence".
    """
    log_ratio = log_probs - ref_log_probs
    if estimator == "k1":
        return log_ratio
    if estimator == "k3":
        return torch.expm1(-log_ratio) + log_ratio
    raise ValueError(f"estimator={estimator}: expected k1 or k3")


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, *, coefficient: float) -> Tensor:
    """`(N, T)`: -coefficient·KL at each token, and the score `(N,)` at the last one.

    Source: Stiennon et al. 2020, 3.4; Ouyang et al. 2022, equation 2.
    """
    rewards = -coefficient * kl * mask
    last = mask.sum(dim=1).long() - 1
    rows = torch.arange(len(scores), device=scores.device)
    rewards[rows, last] += scores
    return rewards


def less_others(scores: Tensor, groups: Sequence[Hashable]) -> Tensor:
    """Scores `(N,)` less the mean of the others of their group; alone, 0.

    That baseline does not depend on the answer, so the gradient stays unbiased. Source: Kool et
    al. 2019, "Buy 4 REINFORCE samples, get a baseline for free"; Ahmadian et al. 2024.
    """
    members: dict[Hashable, list[int]] = defaultdict(list)
    for place, group in enumerate(groups):
        members[group].append(place)
    found = torch.zeros_like(scores)
    for places in members.values():
        some = scores[places]
        found[places] = (some - some.mean()) * len(some) / max(len(some) - 1, 1)
    return found


def penalise_missing_end(scores: Tensor, ended: Tensor, *, penalty: float) -> Tensor:
    """Take `penalty` off the scores `(N,)` of answers that did not end by themselves."""
    return scores - penalty * (~ended).float()


def gae(
    rewards: Tensor, values: Tensor, mask: Tensor, *, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Advantages and returns, `(N, T)` each; the value behind the last token is 0.

    δ_t = r_t + γ V_{t+1} - V_t;  A_t = δ_t + γλ A_{t+1};  R_t = A_t + V_t.
    Source: Schulman et al. 2016, equations 11 and 16.
    """
    values, rewards = values * mask, rewards * mask
    advantages = torch.zeros_like(rewards)
    following = torch.zeros_like(rewards[:, 0])
    for step in reversed(range(rewards.shape[1])):
        after = values[:, step + 1] if step + 1 < rewards.shape[1] else torch.zeros_like(following)
        delta = rewards[:, step] + gamma * after - values[:, step]
        following = (delta + gamma * lam * following) * mask[:, step]
        advantages[:, step] = following
    return advantages, advantages + values


@dataclass(frozen=True)
class PolicyLoss:
    """`loss` is per token `(N, T)`; the others are figures of the batch."""

    loss: Tensor
    clipped: Tensor  # per token: 1.0 where the clip took the gradient away
    kl: Tensor  # per token, k3 between the policy that drew and this one
    ratio: Tensor


def policy_loss(log_probs: Tensor, old: Tensor, advantages: Tensor, *, clip: float) -> PolicyLoss:
    """-min(ρA, clip(ρ, 1 ± clip)A) with ρ = p/p_old. Source: Schulman et al. 2017, equation 7."""
    log_ratio = log_probs - old
    ratio = log_ratio.exp()
    free = -advantages * ratio
    bound = -advantages * ratio.clamp(1 - clip, 1 + clip)
    kl = torch.expm1(log_ratio) - log_ratio
    return PolicyLoss(
        torch.maximum(free, bound), (bound > free).float(), kl.detach(), ratio.detach()
    )


def value_loss(
    values: Tensor, old: Tensor, returns: Tensor, *, clip: float
) -> tuple[Tensor, Tensor]:
    """½ max((V - R)², (V_clipped - R)²) per token, and 1.0 where the clipped one is larger.

    V_clipped stays within `clip` of the value at the time of the rollout.
    """
    bounded = torch.minimum(torch.maximum(values, old - clip), old + clip)
    free, bound = (values - returns) ** 2, (bounded - returns) ** 2
    return 0.5 * torch.maximum(free, bound), (bound > free).float()


def entropy(log_probs: Tensor) -> Tensor:
    """Of each distribution: `(…, V)` to `(…)`."""
    return -(log_probs.exp() * log_probs).sum(dim=-1)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> float:
    """1 - Var(R - V) / Var(R): 1 is a perfect critic, 0 one that says the mean, below 0 worse."""
    spread = masked_variance(returns, mask)
    if spread < EPSILON:
        return 0.0
    return float(1 - masked_variance(returns - values, mask) / spread)


@dataclass
class RunningMoments:
    """Mean and variance of all scores so far, added in batches. Source: Welford 1962, Chan 1979."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0  # sum of squared distances from the mean

    def add(self, values: Tensor) -> None:
        count = values.numel()
        if not count:
            return
        values = values.double()
        mean = float(values.mean())
        gap, total = mean - self.mean, self.count + count
        self.squares += float(((values - mean) ** 2).sum()) + gap**2 * self.count * count / total
        self.mean += gap * count / total
        self.count = total

    @property
    def deviation(self) -> float:
        """Of the population; 1.0 as long as nothing differs."""
        spread = (self.squares / self.count) ** 0.5 if self.count else 0.0
        return spread if spread > EPSILON else 1.0

    def whiten(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.deviation


def whiten(values: Tensor, mask: Tensor, *, among: Tensor | None = None) -> Tensor:
    """Mean 0 and variance 1 over the tokens of the mask; 0 elsewhere.

    `among` are the values of all processes, flat, where several share a rollout.
    """
    moments = RunningMoments()
    moments.add(values[mask.bool()] if among is None else among)
    return moments.whiten(values) * mask


@dataclass
class KlController:
    """The coefficient of the KL, and how it follows its target.

    Adaptive: e = clip(KL/target - 1, ±0.2); coefficient ×= 1 + e·answers/horizon. Source: Ziegler
    et al. 2019, 2.2. A horizon of 0 keeps the coefficient fixed.
    """

    coefficient: float
    target: float
    horizon: int = 0

    def update(self, kl: float, *, answers: int) -> None:
        if not self.horizon:
            return
        error = min(max(kl / self.target - 1, -0.2), 0.2)
        self.coefficient *= 1 + error * answers / self.horizon
