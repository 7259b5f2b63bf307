"""RLOO and GRPO on trl's trainers: no critic, answers to one prompt are compared instead.

Same config, rewards, prompts and held-out looks as PPO, so that their curves can be compared. The
KL coefficient is fixed. Private names of trl: `_get_train_sampler`, `_generate_single_turn`,
`_metrics`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from datasets import Dataset
from torch.utils.data import Sampler
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from training import (
    adapters,
    checkpoints,
    data,
    judging,
    ppo_math,
    ppo_plan,
    rewards,
    rundir,
    trainers,
)
from training.callbacks import Watcher
from training.config import PpoConfig, ScoreConfig
from training.judging import Judge
from training.learner import as_reward
from training.policy import Policy
from training.ppo_plan import Plan
from training.rollouts import Answers, Interrupted, NotFinite
from training.rundir import RunDir
from training.stopping import Cancelled, should_stop
from training.team import Team

# What trl calls them, and what PPO does: `kl` is a mean over tokens there.
RENAMED = {"entropy": "policy/entropy_avg", "clip_ratio/region_mean": "policy/clipfrac_avg"}
MEAN_LENGTH = "completions/mean_length"
MOMENTS = "moments.json"
NOT_KEPT = ("clip_ratio/", "rewards/", "completions/m", "reward", "frac_", "num_", "step_time")


class Online(trainers.Robust):
    """Reads prompts as PPO does, looks at held-out prompts as PPO does, and names figures alike."""

    judge: Judge
    order: Sequence[int]
    rewarder: Rewarder

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Look, unless it is done. Raises Interrupted, once what was learned is saved."""
        step = self.state.global_step
        try:
            self._look(step)
        except Interrupted:
            if step:
                self._save_checkpoint(self.model, None)
            raise
        return {}

    def _look(self, step: int) -> None:
        if self.judge.has_looked(step):
            return
        try:
            self.judge.look(step, functools.partial(should_stop, self.run))
        except NotFinite as error:
            raise self.not_finite(str(error)) from None

    def _get_train_sampler(self, dataset: Any = None) -> Sampler[int]:
        """All rollouts in one epoch: a resumed run then finds its place by counting."""
        return InOrder(self.order)

    def _generate_single_turn(self, prompt_ids: list[list[int]], *_: Any, **__: Any) -> Any:
        """As PPO draws: in batches of `rollout.batch_size`, from the chance of the rollout."""
        policy = self.judge.policy
        number = self.state.global_step // ppo_plan.steps_per_rollout(policy.config)
        seed = ppo_plan.seed_of(policy.config.seed, "draw", number)
        try:
            return policy.draw(prompt_ids, seed=seed, stop=lambda: False).responses
        except NotFinite as error:
            raise self.not_finite(str(error)) from None

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        checkpoints.write_json(Path(str(output_dir)) / MOMENTS, asdict(self.rewarder.moments))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        kept = json.loads((Path(resume_from_checkpoint) / MOMENTS).read_text(encoding="utf-8"))
        self.rewarder.moments = ppo_math.RunningMoments(**kept)
        step = rundir.step_of(Path(resume_from_checkpoint))
        if step % self.judge.policy.config.output.eval_every == 0 or step == self.args.max_steps:
            self._look(step)  # where it was interrupted

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        figures = self._metrics["train"]  # type: ignore[attr-defined]
        if "kl" in figures and "completions/mean_length" in figures:
            kl, length = (sum(v) / len(v) for v in (figures["kl"], figures[MEAN_LENGTH]))
            figures["objective/kl"] = [kl * length]
        for theirs, ours in RENAMED.items():
            if theirs in figures:
                figures[ours] = figures.pop(theirs)
        for name in [name for name in figures if name.startswith(NOT_KEPT) and name != MEAN_LENGTH]:
            del figures[name]
        super().log(logs, start_time)


class Rloo(Online, RLOOTrainer):
    """Ahmadian et al. 2024: the others' mean is the baseline, the KL is part of the reward."""


class Grpo(Online, GRPOTrainer):
    """Shao et al. 2024: whitened within the answers to a prompt, the KL is part of the loss."""

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        return super()._generate_single_turn(*args, **kwargs), None  # probabilities are not needed


class InOrder(Sampler[int]):
    def __init__(self, order: Sequence[int]) -> None:
        self.order = order

    def __iter__(self) -> Iterator[int]:
        return iter(self.order)

    def __len__(self) -> int:
        return len(self.order)


def run(config: PpoConfig, run: RunDir, checkpoint: Path | None) -> Path:
    """Train from the checkpoint on to the end. Raises as `ppo.run` does."""
    split = data.prompts(config.data, seed=config.seed)
    base, tokenizer = adapters.load(config, alone=True)
    train, held_out = (
        ppo_plan.fitting(rows, tokenizer, config) for rows in (split.train, split.eval)
    )
    plan = ppo_plan.plan(config, len(train))
    score = rewards.scorer(config, base, tokenizer)
    team = Team(Accelerator(cpu=base.device.type == "cpu"))
    policy = Policy(config, base, tokenizer, score, team)
    kind, settings = (Rloo, RLOOConfig) if config.algorithm == "rloo" else (Grpo, GRPOConfig)
    rewarder: Any = Rewarder(policy, config.score)
    trainer = kind(
        model=base.model,
        reward_funcs=rewarder,
        args=arguments(settings, config, plan, run, evaluates=bool(held_out)),
        train_dataset=Dataset.from_list([{"prompt": list(p.messages)} for p in train]),
        eval_dataset=Dataset.from_list([{"prompt": list(p.messages)} for p in held_out])
        if held_out
        else None,
        processing_class=tokenizer,
        callbacks=[Watcher(run, stops_every=plan.per_rollout)],
    )
    trainer.rewarder = rewarder
    trainer.order = order(config, plan, len(train))
    trainer.judge = Judge(policy, held_out, run, seed=ppo_plan.seed_of(config.seed, "look"))
    try:
        trainers.prepare(trainer, config, run).resume(checkpoint)
    except Interrupted:
        raise Cancelled("Stopped while it looked at held-out prompts; it can be resumed.") from None
    return judging.finish(policy, trainer.judge, run)


def arguments(
    kind: type[Any], config: PpoConfig, plan: Plan, run: RunDir, *, evaluates: bool
) -> Any:
    """trl's arguments; a rollout is as large, and as long in steps, as that of PPO."""
    loss, rollout = config.loss, config.rollout
    optim = replace(
        config.optim,
        max_steps=plan.steps,
        batch_size=loss.micro_batch,
        grad_accum=loss.minibatch // loss.micro_batch,
    )
    output = replace(config.output, log_every=plan.per_rollout)
    return trainers.arguments(
        kind,
        replace(config, optim=optim, output=output),
        run,
        evaluates=evaluates,
        num_generations=rollout.per_prompt,
        num_generations_eval=1,  # held-out prompts are judged by Judge, in batches of any size
        steps_per_generation=rollout.prompts * rollout.per_prompt // loss.micro_batch,
        num_iterations=loss.epochs,
        max_completion_length=rollout.max_new_tokens,
        temperature=rollout.temperature,
        beta=config.kl.coefficient,
        epsilon=loss.clip,
        disable_dropout=True,
    )


def order(config: PpoConfig, plan: Plan, prompts: int) -> list[int]:
    """The places of prompts as trl reads them: a rollout again for each of its micro-batches."""
    answers = config.rollout.prompts * config.rollout.per_prompt
    times = config.loss.epochs * answers // config.loss.micro_batch
    places: list[int] = []
    for number in range(plan.rollouts):
        places += ppo_plan.chosen_prompts(range(prompts), config, number) * times
    return places


class Rewarder:
    """Scores trl's answers as PPO does, by running statistics that are kept with the run."""

    __name__ = "reward"  # trl asks for it

    def __init__(self, policy: Policy, config: ScoreConfig) -> None:
        self.policy, self.config = policy, config
        self.moments = ppo_math.RunningMoments()

    def __call__(
        self,
        *,
        prompts: list[Any],
        completion_ids: list[list[int]],
        log_metric: Any,
        **_: Any,
    ) -> list[float]:
        policy = self.policy
        ends = policy.ends()
        answers = Answers(
            [ppo_plan.tokens(policy.tokenizer, prompt) for prompt in prompts],
            completion_ids,
            [ids[-1] in ends for ids in completion_ids],
        )
        scores = policy.score(prompts, answers)
        self.moments.add(torch.tensor(policy.team.everyone(scores.tolist())))
        log_metric("objective/scores", float(scores.mean()))
        log_metric("objective/scores_std", float(scores.std(correction=0)))
        log_metric("completions/eos_rate", sum(answers.ended) / len(answers))
        log_metric("rollout/tokens", float(policy.team.total(float(answers.tokens))))
        ended = torch.tensor(answers.ended)
        return list(as_reward(scores, ended, self.config, self.moments).tolist())
