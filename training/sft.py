"""Supervised fine-tuning: the model learns to write the assistant's turns of conversations."""

from __future__ import annotations

import functools
from pathlib import Path

from datasets import Dataset
from trl import SFTConfig as SftArguments
from trl import SFTTrainer

from training import chat_template, data, evaluate, modeling, samples, trainers
from training.callbacks import Watcher
from training.config import SftConfig
from training.evaluate import HeldOut
from training.rundir import RunDir


class Trainer(trainers.Robust, SFTTrainer):
    """trl's, with checkpoints that are whole or not there."""


def run(config: SftConfig, run: RunDir) -> Path:
    """Train from where the run stands to its end and give the folder of the result.

    Raises ConfigError, NotEnoughData, Cancelled, LossNotFinite.
    """
    if trainers.is_done(run, config):
        return run.final
    modeling.environment(config)
    checkpoint = trainers.begin(run, config)
    fits = chat_template.room(modeling.load_tokenizer(config.model), config.data.max_length)
    split = data.sft(config.data, seed=config.seed, fits=fits)

    base, tokenizer = modeling.load_causal(config.model)
    model = modeling.trainable(base, tokenizer, config.model)
    encode = functools.partial(
        evaluate.encoded, tokenizer=tokenizer, max_length=config.data.max_length
    )
    train, held = [encode(row) for row in split.train], [encode(row) for row in split.eval]
    judge = evaluate.judge_texts(
        split.eval,
        held,
        batch_size=config.optim.batch_size,
        pad=tokenizer.pad_token_id,
        compute=modeling.compute_of(config.model),
    )
    prompts = [row["messages"][:-1] for row in split.eval]
    sample = samples.answers(run, model, tokenizer, prompts, config.output)
    trainer = Trainer(
        model=model,
        args=trainers.arguments(
            SftArguments,
            config,
            run,
            evaluates=bool(held),
            max_length=config.data.max_length,
            packing=config.packing,
        ),
        train_dataset=Dataset.from_list(train),
        eval_dataset=Dataset.from_list(held) if held else None,
        processing_class=tokenizer,
        callbacks=[Watcher(run, sample=sample)],
    )
    held_out = HeldOut(run, len(held), judge)
    trainers.prepare(trainer, config, run, held_out).resume(checkpoint)
    return trainers.finish(trainer, config)
