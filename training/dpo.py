"""Direct preference optimisation: learns from the pairs at once, without a reward model.

Source: Rafailov et al. 2023. The reference is the model as it was before.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl import DPOConfig as DpoArguments
from trl import DPOTrainer
from trl.trainer.utils import use_adapter

from training import chat_template, data, evaluate, modeling, samples, scoring, trainers
from training.callbacks import Watcher
from training.config import DpoConfig
from training.evaluate import HeldOut, Judge
from training.figures import Rows
from training.rundir import RunDir

REFERENCE = "ref"  # what trl calls the adapter that stays as it was


class Trainer(trainers.Robust, DPOTrainer):
    """trl's, with checkpoints that are whole or not there."""


def run(config: DpoConfig, run: RunDir) -> Path:
    """Train from where the run stands to its end and give the folder of the result.

    Raises ConfigError, NotEnoughData, Cancelled, LossNotFinite.
    """
    if trainers.is_done(run, config):
        return run.final
    modeling.environment(config)
    checkpoint = trainers.begin(run, config)
    split = data.preferences(config.data, seed=config.seed)

    base, tokenizer = modeling.load_causal(config.model)
    model = modeling.trainable(base, tokenizer, config.model)
    reference = None if config.model.lora else modeling.load_causal(config.model, train=False)[0]
    prompts = [row["prompt"] for row in split.eval]
    trainer = Trainer(
        model=model,
        ref_model=reference,
        args=trainers.arguments(
            DpoArguments,
            config,
            run,
            evaluates=bool(split.eval),
            max_length=config.data.max_length,
            beta=config.beta,
        ),
        train_dataset=Dataset.from_list(plain(split.train, tokenizer)),
        eval_dataset=Dataset.from_list(plain(split.eval, tokenizer)) if split.eval else None,
        processing_class=tokenizer,
        callbacks=[
            Watcher(run, sample=samples.answers(run, model, tokenizer, prompts, config.output))
        ],
    )
    judge = judge_implicitly(split.eval, tokenizer, reference, config)
    held_out = HeldOut(run, len(split.eval), judge)
    trainers.prepare(trainer, config, run, held_out).resume(checkpoint)
    return trainers.finish(trainer, config)


def plain(rows: Rows, tokenizer: PreTrainedTokenizerBase) -> list[dict[str, Any]]:
    """The three columns that trl reads, whose texts cannot end a turn or speak for another role."""
    keys = ("prompt", "chosen", "rejected")
    return [{key: chat_template.defused(tokenizer, row[key]) for key in keys} for row in rows]


def judge_implicitly(
    rows: Rows, tokenizer: PreTrainedTokenizerBase, reference: Any, config: DpoConfig
) -> Judge:
    """Rows as `pair_figures` reads them; the score is β·(ln π(answer) − ln π_ref(answer)).

    The model's own reference adapter is asked where `reference` is None.
    """
    texts = [
        {side: _encoded(row, side, tokenizer, config.data.max_length) for side in evaluate.SIDES}
        for row in rows
    ]

    def log_probabilities(model: Any, places: Sequence[int]) -> list[float]:
        asked = [texts[i][side] for i in places for side in evaluate.SIDES]
        found = scoring.losses(
            model,
            asked,
            batch_size=2 * config.optim.batch_size,
            pad=tokenizer.pad_token_id,
            compute=modeling.compute_of(config.model),
        )
        return [-loss for loss, _ in found]

    def judge(model: Any, places: Sequence[int]) -> list[dict[str, Any]]:
        now = log_probabilities(model, places)
        frozen: AbstractContextManager[Any] = (
            use_adapter(model, REFERENCE) if reference is None else nullcontext()
        )
        with frozen:
            before = log_probabilities(reference or model, places)
        ratios = [config.beta * (a - b) for a, b in zip(now, before, strict=True)]
        return [
            evaluate.judged(rows[i], {"chosen": ratios[2 * at], "rejected": ratios[2 * at + 1]})
            for at, i in enumerate(places)
        ]

    return judge


def _encoded(
    row: dict[str, Any], side: str, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[list[int], list[int]]:
    """Tokens of the prompt with one answer, and labels: only the answer counts."""
    answer = row[side][-1]["content"]
    asked, answered = scoring.parts(tokenizer, row["prompt"], answer, max_length=max_length)
    return asked + answered, [scoring.IGNORED] * len(asked) + answered
