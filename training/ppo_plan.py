"""Which prompts each rollout answers, and how many steps it takes: the plan of a run of PPO."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, TypeVar

from training import chat_template
from training.config import ConfigError, PpoConfig
from training.scoring import Turns

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

logger = logging.getLogger(__name__)
Item = TypeVar("Item")


@dataclass(frozen=True)
class Prompt:
    """A conversation that waits for an answer, and its tokens. `tree` is where it comes from."""

    messages: Turns
    ids: list[int]
    tree: str


@dataclass(frozen=True)
class Plan:
    """How many optimizer steps each rollout gives, and how many rollouts there are."""

    per_rollout: int
    rollouts: int

    @property
    def steps(self) -> int:
        return self.per_rollout * self.rollouts


def check(config: PpoConfig) -> None:
    """Refuse what cannot be run as it is written. Raises ConfigError."""
    rollout, loss, per = config.rollout, config.loss, steps_per_rollout(config)
    if config.algorithm != "ppo" and rollout.per_prompt < 2:
        raise ConfigError(
            f"rollout.per_prompt: {config.algorithm} compares answers to one prompt, expected at "
            f"least 2 (it is {rollout.per_prompt})"
        )
    if config.score.baseline == "others" and (config.algorithm != "ppo" or rollout.per_prompt < 2):
        raise ConfigError(
            "score.baseline: others compares answers to one prompt in PPO; it needs algorithm: ppo "
            f"and rollout.per_prompt of at least 2 (they are {config.algorithm} and "
            f"{rollout.per_prompt}); rloo and grpo compare them by themselves"
        )
    if loss.minibatch % loss.micro_batch:
        raise ConfigError(
            f"loss.minibatch: expected a multiple of loss.micro_batch ({loss.micro_batch}), it is "
            f"{loss.minibatch}"
        )
    if rollout.top_p < 1 or rollout.top_k:
        raise ConfigError(
            "rollout.top_p, rollout.top_k: expected 1 and 0; answers drawn from a part of the "
            "tokens have other probabilities than the policy gives them: ratio and KL are wrong"
        )
    for name in ("save_every", "eval_every"):
        every = getattr(config.output, name)
        if every < 1 or every % per:
            raise ConfigError(
                f"output.{name}: {every} falls inside a rollout, which is {per} steps long "
                f"(loss.epochs × answers / loss.minibatch); expected a multiple of {per}, such as "
                f"{max(per, every // per * per)} or {(max(every, 0) // per + 1) * per}"
            )


def check_share(config: PpoConfig, processes: int) -> None:
    """Refuse what cannot be shared out evenly: processes would wait for each other for ever.

    Nor is the order in which RLOO and GRPO read prompts one for several. Raises ConfigError.
    """
    if config.algorithm != "ppo" and processes > 1:
        raise ConfigError(
            f"algorithm: {config.algorithm} learns in one process, there are {processes}; start it "
            "without accelerate launch, or take algorithm: ppo"
        )
    answers = config.rollout.prompts * config.rollout.per_prompt
    sizes = {
        "rollout.prompts × rollout.per_prompt": answers,
        "loss.minibatch": config.loss.minibatch,
    }
    for name, size in sizes.items():
        if size % processes:
            raise ConfigError(
                f"{name}: expected a multiple of the {processes} processes, so that each has as "
                f"much to do; it is {size}"
            )


def steps_per_rollout(config: PpoConfig) -> int:
    answers = config.rollout.prompts * config.rollout.per_prompt
    return config.loss.epochs * ceil(answers / config.loss.minibatch)


def plan(config: PpoConfig, prompts: int) -> Plan:
    """`optim.max_steps` or `optim.epochs` over the prompts, rounded up to whole rollouts."""
    per, optim = steps_per_rollout(config), config.optim
    if optim.max_steps > 0:
        return Plan(per, ceil(optim.max_steps / per))
    return Plan(per, max(1, ceil(optim.epochs * prompts / config.rollout.prompts)))


def tokens(tokenizer: PreTrainedTokenizerBase, messages: Turns) -> list[int]:
    """What the policy reads before it answers, as when it is served."""
    return chat_template.tokens(tokenizer, messages, is_open=True)


def fitting(
    rows: Sequence[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, config: PpoConfig
) -> list[Prompt]:
    """Prompts as tokens, without those that are too long. Raises ConfigError if none is left."""
    bound = config.rollout.max_prompt_tokens
    prompts = [Prompt(row["prompt"], tokens(tokenizer, row["prompt"]), row["tree"]) for row in rows]
    kept = [prompt for prompt in prompts if len(prompt.ids) <= bound]
    if len(kept) < len(prompts):
        logger.info("%d prompts of more than %d tokens left out", len(prompts) - len(kept), bound)
    if prompts and not kept:
        shortest = min(len(prompt.ids) for prompt in prompts)
        raise ConfigError(
            f"rollout.max_prompt_tokens: no prompt has at most {bound}; the shortest has {shortest}"
        )
    return kept


def chosen_prompts(prompts: Sequence[Item], config: PpoConfig, number: int) -> list[Item]:
    """The prompts of rollout `number`, each as often as it is answered.

    All prompts are read in a new order in each epoch; a rollout may straddle two.
    """
    count = config.rollout.prompts
    chosen: list[Item] = []
    for at in range(number * count, (number + 1) * count):
        epoch, place = divmod(at, len(prompts))
        order = list(range(len(prompts)))
        random.Random(seed_of(config.seed, "order", epoch)).shuffle(order)
        chosen += [prompts[order[place]]] * config.rollout.per_prompt
    return chosen


def seed_of(*parts: Any) -> int:
    """One seed for each use of chance, so that no use moves another's."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big")
