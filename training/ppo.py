"""PPO with a reward model: the policy answers, is scored, and learns what scores well.

A loop of our own (docs/decisions/0007): rollouts, updates and checkpoints in the order in which
they happen. `algorithm: rloo | grpo` runs on trl's trainers instead (training/online.py).
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator, PartialState

from training import (
    adapters,
    checkpoints,
    data,
    judging,
    modeling,
    online,
    ppo_plan,
    resuming,
    rewards,
    trainers,
)
from training.callbacks import all_agree_to_stop
from training.config import PpoConfig
from training.judging import Judge
from training.learner import Learner, Rollout
from training.policy import Policy
from training.ppo_plan import Plan, Prompt
from training.rollouts import Interrupted, NotFinite
from training.rundir import RunDir
from training.stopping import Cancelled, LossNotFinite, should_stop
from training.team import Team

logger = logging.getLogger(__name__)


def run(config: PpoConfig, run: RunDir) -> Path:
    """Train from where the run stands to its end and give the folder of the result.

    Raises ConfigError, NotEnoughData, Cancelled, LossNotFinite.
    """
    if trainers.is_done(run, config):
        return run.final
    ppo_plan.check(config)
    modeling.environment(config)
    checkpoint = trainers.begin(run, config)
    ppo_plan.check_share(config, PartialState().num_processes)
    if config.algorithm != "ppo":
        return online.run(config, run, checkpoint)
    split = data.prompts(config.data, seed=config.seed)
    base, tokenizer = adapters.load(config)
    train, held_out = (
        ppo_plan.fitting(rows, tokenizer, config) for rows in (split.train, split.eval)
    )
    planned = ppo_plan.plan(config, len(train))
    team = Team(Accelerator(cpu=base.device.type == "cpu"))
    score = rewards.scorer(config, base, tokenizer)
    policy = Policy(config, base, tokenizer, score, team)
    learner = Learner(policy, steps=planned.steps)
    judge = Judge(policy, held_out, run, seed=ppo_plan.seed_of(config.seed, "look"))
    if checkpoint is not None:
        resuming.load(checkpoint, learner)
    try:
        loop(learner, train, judge, planned, run)
    except Interrupted:
        if learner.step != learner.saved:
            resuming.save(run, learner)
        raise Cancelled(f"Stopped at step {learner.step}; it can be resumed.") from None
    except NotFinite as error:
        raise LossNotFinite(
            f"After step {learner.step} {error}: the weights have blown up. If it was an update, "
            f"its answers are in {trainers.BAD_BATCH}. Go on from the last checkpoint, or begin "
            f"anew with a lower optim.lr (it is {config.optim.lr})."
        ) from None
    return judging.finish(policy, judge, run)


def loop(
    learner: Learner, prompts: Sequence[Prompt], judge: Judge, plan: Plan, run: RunDir
) -> None:
    """Rollout after rollout, from where the learner stands.

    Raises Interrupted, with the learner as it was after the last rollout, and NotFinite.
    """
    output, team = learner.config.output, learner.team
    stop = while_drawing(learner, run)
    while True:
        step, is_last = learner.step, learner.step == plan.steps
        if team.is_first:
            run.write_status("running", step=step, max_steps=plan.steps)
        if (is_last or step % output.eval_every == 0) and not judge.has_looked(step):
            judge.look(step, stop)
        if (is_last or step % output.save_every == 0) and step != learner.saved:
            resuming.save(run, learner)
        if is_last:
            return
        if all_agree_to_stop(run):
            raise Interrupted
        number = step // plan.per_rollout
        chosen = team.share(ppo_plan.chosen_prompts(prompts, learner.config, number))
        figures = one_rollout(
            learner, chosen, run, stop, seed=ppo_plan.seed_of(learner.config.seed, "draw", number)
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
        keep_batch(run, rollout, error.answers, learner.policy.tokenizer)
        raise


def while_drawing(learner: Learner, run: RunDir) -> Callable[[], bool]:
    """Several processes must stop at the same place, so they ask each other between rollouts."""
    return functools.partial(should_stop, run) if learner.team.size == 1 else lambda: False


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
