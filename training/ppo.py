"""PPO with a reward model: the policy answers, is scored, and learns what scores well.

A loop of our own (docs/decisions/0007): rollouts, updates and checkpoints in the order in which
they happen. `algorithm: rloo | grpo` runs on trl's trainers instead (training/online.py).
"""

from __future__ import annotations

import functools
import hashlib
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from transformers import PreTrainedTokenizerBase

from training import (
    adapters,
    chat_template,
    checkpoints,
    data,
    modeling,
    online,
    resuming,
    rewards,
    trainers,
)
from training.callbacks import Cancelled, LossNotFinite, all_agree_to_stop, should_stop
from training.config import ConfigError, PpoConfig
from training.judging import Judge, Prompt
from training.policy import Learner, Rollout
from training.rollouts import Interrupted, NotFinite
from training.rundir import RunDir, read_lines
from training.team import Team

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """How many optimizer steps each rollout gives, and how many rollouts there are."""

    per_rollout: int
    rollouts: int

    @property
    def steps(self) -> int:
        return self.per_rollout * self.rollouts


def run(config: PpoConfig, run: RunDir) -> Path:
    """Train from where the run stands to its end and give the folder of the result.

    Raises ConfigError, NotEnoughData, Cancelled, LossNotFinite.
    """
    if run.final.is_dir():
        return run.final
    check(config)
    if config.algorithm != "ppo":
        return online.run(config, run)
    modeling.environment(config)
    checkpoint = trainers.begin(run, config)
    split = data.prompts(config.data, seed=config.seed)
    base, tokenizer = adapters.load(config)
    train, held_out = (fitting(rows, tokenizer, config) for rows in (split.train, split.eval))
    planned = plan(config, len(train))
    team = Team(Accelerator(cpu=base.device.type == "cpu"))
    score = rewards.scorer(config, base, tokenizer)
    learner = Learner(config, base, tokenizer, score, steps=planned.steps, team=team)
    judge = Judge(learner, held_out, run, seed=seed_of(config.seed, "look"))
    if checkpoint is not None:
        resuming.load(checkpoint, learner, judge)
    try:
        loop(learner, train, judge, planned, run)
    except Interrupted:
        resuming.save(run, learner, judge)
        raise Cancelled(f"Stopped at step {learner.step}; it can be resumed.") from None
    except NotFinite as error:
        raise LossNotFinite(
            f"After step {learner.step} {error}: the weights have blown up. If it was an update, "
            f"its answers are in {trainers.BAD_BATCH}. Go on from the last checkpoint, or begin "
            f"anew with a lower optim.lr (it is {config.optim.lr})."
        ) from None
    return finish(learner, judge, config, run)


def check(config: PpoConfig) -> None:
    """Refuse what cannot be run as it is written. Raises ConfigError."""
    rollout, loss, per = config.rollout, config.loss, steps_per_rollout(config)
    if config.algorithm != "ppo" and rollout.per_prompt < 2:
        raise ConfigError(
            f"rollout.per_prompt: {config.algorithm} compares answers to one prompt, expected at "
            f"least 2 (it is {rollout.per_prompt})"
        )
    if loss.minibatch % loss.micro_batch:
        raise ConfigError(
            f"loss.minibatch: expected a multiple of loss.micro_batch ({loss.micro_batch}), it is "
            f"{loss.minibatch}"
        )
    for name in ("save_every", "eval_every"):
        every = getattr(config.output, name)
        if every < 1 or every % per:
            raise ConfigError(
                f"output.{name}: {every} falls inside a rollout, which is {per} steps long "
                f"(loss.epochs × answers / loss.minibatch); expected a multiple of {per}, such as "
                f"{max(per, every // per * per)} or {(max(every, 0) // per + 1) * per}"
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


def fitting(
    rows: Sequence[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, config: PpoConfig
) -> list[Prompt]:
    """Prompts as tokens, without those that are too long. Raises ConfigError if none is left."""
    bound = config.rollout.max_prompt_tokens
    prompts = [
        Prompt(
            row["prompt"],
            chat_template.tokens(tokenizer, row["prompt"], is_open=True),
            row["tree"],
        )
        for row in rows
    ]
    kept = [prompt for prompt in prompts if len(prompt.ids) <= bound]
    if len(kept) < len(prompts):
        logger.info("%d prompts of more than %d tokens left out", len(prompts) - len(kept), bound)
    if prompts and not kept:
        shortest = min(len(prompt.ids) for prompt in prompts)
        raise ConfigError(
            f"rollout.max_prompt_tokens: no prompt has at most {bound}; the shortest has {shortest}"
        )
    return kept


def loop(
    learner: Learner, prompts: Sequence[Prompt], judge: Judge, plan: Plan, run: RunDir
) -> None:
    """Rollout after rollout, from where the learner stands.

    Raises Interrupted, with the learner as it was after the last rollout, and NotFinite.
    """
    output, team, saved = learner.config.output, learner.team, learner.step
    stop = while_drawing(learner, run)
    while True:
        step, is_last = learner.step, learner.step == plan.steps
        if team.is_first:
            run.write_status("running", step=step, max_steps=plan.steps)
        if (is_last or step % output.eval_every == 0) and judge.looked_at != step:
            judge.look(stop)
        if (is_last or step % output.save_every == 0) and step != saved:
            resuming.save(run, learner, judge)
        if is_last:
            return
        if all_agree_to_stop(run):
            raise Interrupted
        number = step // plan.per_rollout
        chosen = team.share(chosen_prompts(prompts, learner.config, number))
        figures = one_rollout(
            learner, chosen, run, stop, seed=seed_of(learner.config.seed, "draw", number)
        )
        if team.is_first:
            run.add_metrics(learner.step, figures)


def one_rollout(
    learner: Learner,
    chosen: Sequence[Prompt],
    run: RunDir,
    stop: Callable[[], bool],
    *,
    seed: int,
) -> dict[str, float]:
    """Collect and update; the figures of both. Raises Interrupted, NotFinite."""
    rollout, collected = learner.collect(
        [prompt.messages for prompt in chosen],
        [prompt.ids for prompt in chosen],
        seed=seed,
        stop=stop,
    )
    try:
        return collected | learner.update(rollout)
    except NotFinite as error:
        keep_batch(run, rollout, error.answers, learner.tokenizer)
        raise


def while_drawing(learner: Learner, run: RunDir) -> Callable[[], bool]:
    """Several processes must stop at the same place, so they ask each other between rollouts."""
    return functools.partial(should_stop, run) if learner.team.size == 1 else lambda: False


def chosen_prompts(prompts: Sequence[Prompt], config: PpoConfig, number: int) -> list[Prompt]:
    """The prompts of rollout `number`, each as often as it is answered.

    All prompts are read in a new order in each epoch; a rollout may straddle two.
    """
    count, chosen = config.rollout.prompts, []
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


def keep_batch(run: RunDir, rollout: Rollout, chosen: Sequence[int], tokenizer: Any) -> None:
    """Write the answers at which the loss broke to the run's folder."""
    answers = rollout.answers
    checkpoints.write_json(
        run.path / trainers.BAD_BATCH,
        [
            {
                "prompt": tokenizer.decode(answers.prompts[i]),
                "response": tokenizer.decode(answers.responses[i]),
                "score": float(rollout.scores[i]),
                "ids": answers.prompts[i] + answers.responses[i],
            }
            for i in chosen
        ],
    )


def finish(learner: Learner, judge: Judge, config: PpoConfig, run: RunDir) -> Path:
    """Judge the trained policy, and save it as any other result."""
    evaluation = judge.compare()
    if not learner.team.is_first:
        learner.team.wait()
        return run.final
    checkpoints.write_json(run.evaluation, evaluation)
    has_rule = config.reward.startswith(rewards.RULE)
    made_from = [config.model.path] if has_rule else [config.model.path, config.reward]
    folder = checkpoints.write_final(
        run,
        learner.base.model,
        learner.tokenizer,
        replace(config, model=adapters.with_lora(config.model)),
        parents=checkpoints.parents(*made_from),
        data=data.sources_record(config.data),
        metrics=last_figures(run),
        evaluation=evaluation,
    )
    learner.team.wait()
    return folder


def last_figures(run: RunDir) -> dict[str, float]:
    rows = [row for row in read_lines(run.metrics) if row["phase"] == "train"]
    about_time = ("step", "phase", "time")
    return {name: value for name, value in rows[-1].items() if name not in about_time}
