"""What all pipelines share of the trainer: arguments, whole checkpoints, exact resuming.

Private names of transformers: `_prepare_inputs`, `_save_checkpoint`, `_load_from_checkpoint`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from peft import PeftModel
from transformers import PrinterCallback, Trainer

from training import checkpoints, claims, data, rundir
from training.callbacks import Watcher
from training.config import StageConfig
from training.evaluate import HeldOut
from training.figures import Bootstrap
from training.modeling import compute_of, device_of
from training.rundir import RunDir
from training.stopping import Cancelled, LossNotFinite

logger = logging.getLogger(__name__)
BAD_BATCH = "bad-batch.json"
IDS = ("input_ids", "prompt_ids", "completion_ids")  # of whole texts, or of their parts in order


def arguments(
    kind: type[Any], config: StageConfig, run: RunDir, *, evaluates: bool, **more: Any
) -> Any:
    """trl's arguments of the stage, from what all stages say alike.

    `evaluates`: there is held-out data; it is judged before the first step, too.
    """
    device = device_of(config.model)
    on_cpu = device == "cpu"
    optim, output = config.optim, config.output
    return kind(
        output_dir=str(run.checkpoints),
        learning_rate=optim.lr,
        num_train_epochs=optim.epochs,
        max_steps=optim.max_steps,
        per_device_train_batch_size=optim.batch_size,
        per_device_eval_batch_size=optim.batch_size,
        gradient_accumulation_steps=optim.grad_accum,
        warmup_steps=optim.warmup_steps,
        lr_scheduler_type=optim.schedule,
        weight_decay=optim.weight_decay,
        adam_beta1=optim.betas[0],
        adam_beta2=optim.betas[1],
        max_grad_norm=optim.max_grad_norm,
        optim="adamw_bnb_8bit" if optim.eight_bit else "adamw_torch",
        logging_steps=output.log_every,
        logging_nan_inf_filter=False,  # it would hide a loss that is no number
        eval_strategy="steps" if evaluates else "no",
        eval_steps=output.eval_every,
        eval_on_start=evaluates and run.last_checkpoint() is None,
        save_strategy="steps",
        save_steps=output.save_every,
        seed=config.seed,
        data_seed=config.seed,
        use_cpu=on_cpu,
        bf16=compute_of(config.model) == torch.bfloat16,
        fp16=compute_of(config.model) == torch.float16,
        gradient_checkpointing=config.model.gradient_checkpointing,
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=not on_cpu,
        report_to=[],
        disable_tqdm=True,
        **more,
    )


class Robust(Trainer):
    """Mixed into trl's trainers, before them: `class SftTrainer(Robust, SFTTrainer)`.

    `prepare` sets the attributes. `held_out`, if given, judges the held-out data, in the same way
    before, during and after training.
    """

    run: RunDir
    keep: int
    held_out: HeldOut | None = None
    _batch: dict[str, Any] | None = None

    def __init__(self, model: Any, *args: Any, **kwargs: Any) -> None:
        """Over quantised weights trl rounds the adapter that learns to bfloat16, but not the copy
        that is its reference: what they begin with is put back, so that both say the same."""
        given = list(learned(model)) if isinstance(model, PeftModel) else []
        before = [weight.detach().clone() for weight in given]
        super().__init__(model, *args, **kwargs)
        for weight, as_given in zip(given, before, strict=True):
            if weight.dtype != as_given.dtype:
                weight.data = as_given.to(weight.device)

    def _prepare_inputs(self, inputs: Any) -> Any:
        """What is learned from next: trl's online trainers draw it here, from prompts."""
        prepared = super()._prepare_inputs(inputs)
        self._batch = dict(prepared)  # a loss may take something out of it
        return prepared

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        loss = super().training_step(model, inputs, *args, **kwargs)
        if not torch.isfinite(loss):
            raise self.not_finite(f"the loss is {loss.item()}")
        return loss

    def not_finite(self, what: str) -> LossNotFinite:
        """Save the batch that did it, and give the error to raise."""
        step = self.state.global_step + 1
        if self._batch is not None:
            text = json.dumps(_readable(self._batch, self.processing_class), ensure_ascii=False)
            rundir.write_whole(self.run.path / BAD_BATCH, text)
        return LossNotFinite(
            f"At step {step} {what}: the weights have blown up. The batch is in {BAD_BATCH}. "
            f"Start again with a lower optim.lr (it is {self.args.learning_rate}), or take the "
            "example out of the data."
        )

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        if self.held_out is None:
            return super().evaluate(*args, **kwargs)
        figures = self.held_out.at(self.model, self.state.global_step)
        self.log(dict(figures))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, figures
        )
        return figures

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write the checkpoint under another name, and give it its own when it is whole."""
        if not all(torch.isfinite(weight).all() for weight in learned(self.model)):
            raise self.not_finite("weights are no numbers any more")
        path = self.run.checkpoints / f"{rundir.PREFIX}{self.state.global_step}"
        being_written = rundir.half(path) if self.args.should_save else _half_name(path)
        self.accelerator.wait_for_everyone()
        home, self.args.output_dir = self.args.output_dir, str(being_written)
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self.args.output_dir = home
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            rundir.publish(being_written / path.name, path)
            being_written.rmdir()
            self.run.drop_older(self.keep)
        self.accelerator.wait_for_everyone()

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """The card is written once, with the result."""

    def resume(self, checkpoint: Path | None) -> None:
        """Train to the end, from the checkpoint on. Raises Cancelled once that is saved."""
        watcher = next(c for c in self.callback_handler.callbacks if isinstance(c, Watcher))
        if checkpoint is not None and _is_last(checkpoint):
            self._load_from_checkpoint(str(checkpoint))
            return
        self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if watcher.has_stopped:
            raise Cancelled(f"Stopped at step {self.state.global_step}; it can be resumed.")


def prepare(
    trainer: Robust, config: StageConfig, run: RunDir, held_out: HeldOut | None = None
) -> Robust:
    """Tie a trainer to its run. What learns is kept in float32: bfloat16 loses small steps."""
    trainer.remove_callback(PrinterCallback)  # the log has it
    trainer.run, trainer.keep = run, config.output.keep
    trainer.held_out = held_out if held_out and held_out.count else None
    for weight in learned(trainer.model):
        weight.data = weight.data.float()
    return trainer


def learned(model: Any) -> Iterator[torch.nn.Parameter]:
    return (weight for weight in model.parameters() if weight.requires_grad)


def is_done(run: RunDir, config: StageConfig) -> bool:
    """Whether the folder holds the result already.

    Raises ConfigError if it is that of another config, or of other data.
    """
    return run.final.is_dir() and claims.is_done(run, config, data.sources_record(config.data))


def begin(run: RunDir, config: StageConfig) -> Path | None:
    """The checkpoint to go on from. Forgets what was logged after it.

    Raises ConfigError if the folder holds a run with another config, or on other data.
    """
    state = PartialState(cpu=device_of(config.model) == "cpu")
    if state.is_main_process:
        rundir.tidy(run.make().path)
        record = data.sources_record(config.data)
        claims.claim(run, config, record, has_begun=run.last_checkpoint() is not None)
        _forget(run, run.last_checkpoint())
    state.wait_for_everyone()
    return run.last_checkpoint()


def _forget(run: RunDir, checkpoint: Path | None) -> None:
    step = rundir.step_of(checkpoint) if checkpoint else -1
    run.forget_after(step)
    for file in run.evaluations.glob("*.json"):
        if int(file.stem) > step:
            file.unlink()


def finish(trainer: Robust, config: StageConfig, *parents: str) -> Path:
    """Judge what was learned, write the result and give its folder."""
    run, held_out = trainer.run, trainer.held_out
    state = trainer.accelerator.get_state_dict(trainer.model) if _is_sharded(trainer) else None
    if trainer.args.should_save:
        checkpoints.write_final(
            run,
            trainer.model,
            trainer.processing_class,
            config,
            parents=checkpoints.parents(config.model.path, *parents),
            data=json.loads(run.data.read_text(encoding="utf-8")),
            metrics=last_metrics(run),
            evaluation=held_out.report(trainer.model, config.stage, Bootstrap(seed=config.seed))
            if held_out
            else None,
            state_dict=state,
        )
    trainer.accelerator.wait_for_everyone()
    return run.final


def last_metrics(run: RunDir) -> dict[str, float]:
    """The newest value of each figure."""
    found: dict[str, float] = {}
    for row in rundir.read_lines(run.metrics):
        found |= {k: v for k, v in row.items() if k not in ("step", "phase", "time")}
    return found


def _is_sharded(trainer: Robust) -> bool:
    return trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled


def _is_last(checkpoint: Path) -> bool:
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return bool(state["global_step"] >= state["max_steps"])


def _half_name(path: Path) -> Path:
    return path.with_name(path.name + ".half")


def _readable(batch: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    values = {k: v.tolist() for k, v in batch.items() if isinstance(v, torch.Tensor)}
    parts = [values[key] for key in IDS if key in values]
    texts = [
        tokenizer.decode([i for part in row for i in part]) for row in zip(*parts, strict=True)
    ]
    return {"texts": texts, **values}
