"""The reward model: it learns to score the answer that people preferred above the other one."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from datasets import Dataset
from torch import Tensor
from torch.nn.functional import logsigmoid
from trl import RewardConfig as RewardArguments
from trl import RewardTrainer
from trl.trainer.reward_trainer import DataCollatorForPreference

from training import data, evaluate, modeling, probes, samples, trainers
from training.callbacks import Watcher
from training.config import RewardConfig
from training.evaluate import HeldOut
from training.figures import Bootstrap
from training.rundir import RunDir


@dataclass
class Collator(DataCollatorForPreference):
    """trl's, which also hands the pairs' weights on, as `weight` (B,)."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        weights = torch.tensor([example["weight"] for example in examples], dtype=torch.float)
        return {**super().torch_call(examples), "weight": weights}


class Trainer(trainers.Robust, RewardTrainer):
    """trl's, with pairs weighted so that each prompt counts once, and scores held near 0.

    `mean_weight` is that of all pairs: dividing by it keeps the size of a step that of plain
    pairs. `score_l2` as in RewardConfig.
    """

    mean_weight = 1.0
    score_l2 = 0.0

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        weights = inputs.pop("weight") / self.mean_weight
        # trl's own loss is left aside; its figures (accuracy, margin) are wanted.
        _, outputs = super().compute_loss(model, inputs, return_outputs=True)
        loss = pair_loss(outputs.logits.squeeze(-1), weights, score_l2=self.score_l2)
        return (loss, outputs) if return_outputs else loss

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns: Any = ["chosen_ids", "rejected_ids", "weight"]


def pair_loss(scores: Tensor, weights: Tensor, *, score_l2: float) -> Tensor:
    """Mean over pairs of w·(−ln σ(s_c − s_r) + ½β(s_c² + s_r²)), a scalar.

    `scores` (2B,): of the B chosen answers, then of the B rejected ones. `weights` (B,).
    Source: Ouyang et al. 2022, equation 1, where all pairs of a prompt weigh 1 together.
    """
    chosen, rejected = scores.chunk(2)
    each = -logsigmoid(chosen - rejected) + score_l2 / 2 * (chosen**2 + rejected**2)
    return (weights * each).mean()


def run(config: RewardConfig, run: RunDir) -> Path:
    """Train from where the run stands to its end and give the folder of the result.

    Raises ConfigError, NotEnoughData, Cancelled, LossNotFinite.
    """
    if trainers.is_done(run, config):
        return run.final
    modeling.environment(config)
    checkpoint = trainers.begin(run, config)
    split = data.preferences(config.data, seed=config.seed)

    base, tokenizer = modeling.load_scorer(config.model)
    model = modeling.trainable(base, tokenizer, config.model)
    length = config.data.max_length
    encode = functools.partial(evaluate.encoded_pair, tokenizer=tokenizer, max_length=length)
    train, held = [encode(row) for row in split.train], [encode(row) for row in split.eval]
    judge = evaluate.judge_pairs(
        split.eval,
        held,
        batch_size=2 * config.optim.batch_size,
        compute=modeling.compute_of(config.model),
    )
    sample = samples.scores(
        run, model, tokenizer, split.eval, max_length=length, count=config.output.samples
    )
    trainer = Trainer(
        model=model,
        args=trainers.arguments(
            RewardArguments, config, run, evaluates=bool(held), max_length=length
        ),
        data_collator=Collator(tokenizer.pad_token_id),
        train_dataset=Dataset.from_list(train),
        eval_dataset=Dataset.from_list(held) if held else None,
        processing_class=tokenizer,
        callbacks=[Watcher(run, sample=sample)],
    )
    trainer.mean_weight = sum(row["weight"] for row in train) / len(train)
    trainer.score_l2 = config.score_l2
    probe = functools.partial(
        probes.judge,
        tokenizer=tokenizer,
        how=Bootstrap(seed=config.seed),
        max_length=length,
        batch_size=2 * config.optim.batch_size,
        compute=modeling.compute_of(config.model),
    )
    # One process judges at the end, and cannot alone where the others hold parts of the weights.
    is_alone = PartialState().num_processes == 1
    held_out = HeldOut(run, len(held), judge, probe if is_alone else None)
    trainers.prepare(trainer, config, run, held_out).resume(checkpoint)
    return trainers.finish(trainer, config)
