"""Scores answers: by a reward model on the shared base, by one of its own, or by a known rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from training import chat_template, checkpoints, modeling, packing, rollouts, scoring
from training.adapters import SharedBase
from training.config import ConfigError, PpoConfig
from training.pair_figures import LEAST_PAIRS
from training.rollouts import Answers
from training.scoring import Turns

RULE = "rule:"
Scorer = Callable[[Sequence[Turns], Answers], Tensor]  # conversations and answers to (N,)


def letters(text: str) -> float:
    """The share of characters that are letters from a to z."""
    return sum("a" <= char <= "z" for char in text) / len(text) if text else 0.0


def vowels(text: str) -> float:
    """The share of characters that are vowels."""
    return sum(char in "aeiou" for char in text) / len(text) if text else 0.0


def short(text: str) -> float:
    """1 for an empty answer, 0 for one of 100 characters, less for longer ones."""
    return 1 - len(text) / 100


def long(text: str) -> float:
    """What a reward model that was taken in by length says: 1 per 100 characters."""
    return len(text) / 100


RULES: dict[str, Callable[[str], float]] = {
    rule.__name__: rule for rule in (letters, vowels, short, long)
}


def rule(name: str) -> Callable[[str], float]:
    """The rule of `rule:NAME`. Raises ConfigError."""
    found = RULES.get(name.removeprefix(RULE))
    if found is None:
        raise ConfigError(f"reward: {name}, expected rule: and one of {', '.join(RULES)}")
    return found


def known_accuracy(config: PpoConfig) -> dict[str, float]:
    """`reward/accuracy` on held-out pairs, as the reward model's own run found it, and the lower
    end of its interval; empty where that is not known, or from too few pairs."""
    if config.reward.startswith(RULE):
        return {}
    lineage = modeling.resolve(config.reward) / checkpoints.LINEAGE
    if not lineage.is_file():
        return {}
    evaluation: dict[str, Any] = checkpoints.read_lineage(lineage.parent)["evaluation"] or {}
    found = evaluation.get("accuracy")
    if not found or found["n"] < LEAST_PAIRS:
        return {}
    return {"reward/accuracy": found["value"], "reward/accuracy_low": found["low"]}


def scorer(config: PpoConfig, base: SharedBase, tokenizer: PreTrainedTokenizerBase) -> Scorer:
    """How this run scores, models loaded. Raises ConfigError."""
    if config.reward.startswith(RULE):
        return _by_rule(rule(config.reward), tokenizer)
    if base.has_reward:
        return _by_adapter(base, tokenizer, size=config.loss.micro_batch)
    return _by_model(config, tokenizer)


def _by_rule(judge: Callable[[str], float], tokenizer: PreTrainedTokenizerBase) -> Scorer:
    def score(_: Sequence[Turns], answers: Answers) -> Tensor:
        return torch.tensor([judge(text) for text in texts(answers, tokenizer)])

    return score


def _by_adapter(base: SharedBase, tokenizer: PreTrainedTokenizerBase, *, size: int) -> Scorer:
    end, ends = chat_template.end_of_turn(tokenizer), modeling.ends(base.causal)

    def score(_: Sequence[Turns], answers: Answers) -> Tensor:
        # Reward models have only read answers that end, as the template writes it; what is cut
        # off pays in another place.
        read = [
            [*(response[:-1] if response[-1] in ends else response), end]
            for response in answers.responses
        ]
        found = torch.zeros(len(read))
        share = rollouts.has_repeats(answers.prompts) and base.can_share
        with base.still(), base.using("reward"):
            for some in packing.groups(answers.prompts, read, size, share=share):
                prompts, rows = ([of[i] for i in some] for of in (answers.prompts, read))
                packed = packing.pack(prompts, rows, share=share, device=base.device)
                states = base.ends_of(packed, [len(row) for row in rows])
                found[some] = base.head("reward", states).cpu()
        return found

    return score


def _by_model(config: PpoConfig, tokenizer: PreTrainedTokenizerBase) -> Scorer:
    """A reward model on another base reads the conversation through its own template."""
    model, own = modeling.load_reward(replace(config.model, path=config.reward))
    longest = config.rollout.max_prompt_tokens + config.rollout.max_new_tokens

    def score(conversations: Sequence[Turns], answers: Answers) -> Tensor:
        rows = [
            scoring.encode(own, turns, text, max_length=2 * longest)
            for turns, text in zip(conversations, texts(answers, tokenizer), strict=True)
        ]
        return torch.tensor(scoring.scores(model, rows, batch_size=config.loss.micro_batch))

    return score


def texts(answers: Answers, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    return tokenizer.batch_decode(answers.responses, skip_special_tokens=True)
