"""Direct preference optimisation: learns from the pairs at once, without a reward model.

Source: Rafailov et al. 2023. The reference is the model as it was before.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.functional import logsigmoid
from transformers import PreTrainedTokenizerBase
from trl import DPOConfig as DpoArguments
from trl import DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.utils import use_adapter

from training import chat_template, data, evaluate, modeling, samples, scoring, trainers
from training.callbacks import Watcher
from training.config import DpoConfig
from training.evaluate import HeldOut, Judge
from training.figures import Rows
from training.rundir import RunDir

REFERENCE = "ref"  # what trl calls the adapter that stays as it was


@dataclass
class Collator(DataCollatorForPreference):
    """trl's, which also hands the pairs' weights on, as `weight` (B,)."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        weights = torch.tensor([example["weight"] for example in examples], dtype=torch.float)
        return {**super().torch_call(examples), "weight": weights}


class Trainer(trainers.Robust, DPOTrainer):
    """trl's, with pairs weighted so that each prompt counts once, as the reward model's are.

    `mean_weight` is that of all pairs: dividing by it keeps the size of a step that of plain pairs.
    """

    mean_weight = 1.0

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        weights = inputs.pop("weight") / self.mean_weight
        before = self.compute_ref_log_probs(model, inputs)
        inputs |= dict(zip(("ref_chosen_logps", "ref_rejected_logps"), before, strict=True))
        said: list[Any] = []

        def forward(**given: Any) -> Any:
            said.append(model(**given))
            return said[-1]

        # trl's own loss is left aside; its figures (accuracy, margin) are wanted.
        super().compute_loss(forward, inputs)
        (outputs,) = said
        chosen, rejected = outputs.log_probs.sum(dim=1).chunk(2)
        margins = self.beta * (chosen - before[0] - rejected + before[1])
        loss = pair_loss(margins, weights)
        return (loss, outputs) if return_outputs else loss

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns: Any = ["prompt_ids", "chosen_ids", "rejected_ids", "weight"]


def pair_loss(margins: Tensor, weights: Tensor) -> Tensor:
    """Mean over pairs of −w·ln σ(margin), a scalar; both (B,).

    The margin is β·(ln π/π_ref of the chosen answer − that of the rejected one). Source: Rafailov
    et al. 2023, equation 7, where all pairs of a prompt weigh 1 together.
    """
    return -(weights * logsigmoid(margins)).mean()


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
        data_collator=Collator(tokenizer.pad_token_id, max_length=config.data.max_length),
        train_dataset=Dataset.from_list(plain(split.train, tokenizer)),
        eval_dataset=Dataset.from_list(plain(split.eval, tokenizer)) if split.eval else None,
        processing_class=tokenizer,
        callbacks=[
            Watcher(run, sample=samples.answers(run, model, tokenizer, prompts, config.output))
        ],
    )
    trainer.mean_weight = sum(row["weight"] for row in split.train) / len(split.train)
    trainer.precompute_ref_logps = True  # `compute_loss` hands them over
    judge = judge_implicitly(split.eval, tokenizer, reference, config)
    held_out = HeldOut(run, len(split.eval), judge)
    trainers.prepare(trainer, config, run, held_out).resume(checkpoint)
    return trainers.finish(trainer, config)


def plain(rows: Rows, tokenizer: PreTrainedTokenizerBase) -> list[dict[str, Any]]:
    """The columns that trl reads, whose texts cannot end a turn or speak for another role, and the
    weight."""
    keys = ("prompt", "chosen", "rejected")
    return [
        {key: chat_template.defused(tokenizer, row[key]) for key in keys}
        | {"weight": row["weight"]}
        for row in rows
    ]


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
