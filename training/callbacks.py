"""What watches a trainer: figures into the run's folder, samples to read, its end when asked."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.rundir import RunDir
from training.stopping import LossNotFinite, should_stop

logger = logging.getLogger(__name__)

# Told by the trainers, but not worth a curve.
NOT_KEPT = {
    "epoch",
    "total_flos",
    "num_tokens",
    "train_runtime",
    "train_loss",
    "train_samples_per_second",
    "train_steps_per_second",
}


def all_agree_to_stop(run: RunDir) -> bool:
    """The same answer in every process: they must leave the loop at the same step."""
    wish = should_stop(run)
    if not torch.distributed.is_initialized():
        return wish
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    told = torch.tensor(int(wish), device=device)
    torch.distributed.all_reduce(told, op=torch.distributed.ReduceOp.MAX)
    return bool(told.item())


class Watcher(TrainerCallback):
    """Writes metrics and status, ends the run when asked, and lets somebody draw samples.

    `sample(step)` is called in the main process after each evaluation. The wish to end is heard
    every `stops_every` steps: only then does a checkpoint hold all that the next step needs.
    """

    def __init__(
        self,
        run: RunDir,
        *,
        sample: Callable[[int], None] | None = None,
        stops_every: int = 1,
    ) -> None:
        self.run = run
        self.sample = sample
        self.stops_every = stops_every
        self.has_stopped = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._tell(state)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step % self.stops_every == 0 and all_agree_to_stop(self.run):
            self.has_stopped = state.global_step < state.max_steps
            control.should_save = control.should_training_stop = True
        elif state.global_step >= state.max_steps and args.eval_strategy != "no":
            control.should_evaluate = True
        self._tell(state)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        kept = {key: value for key, value in (logs or {}).items() if key not in NOT_KEPT}
        if not kept or not state.is_world_process_zero:
            return
        figures = ", ".join(f"{key} {value:.4g}" for key, value in kept.items())
        logger.info("step %s of %s: %s", state.global_step, state.max_steps, figures)
        phase = "eval" if any(key.startswith("eval_") for key in kept) else "train"
        self.run.add_metrics(state.global_step, kept, phase=phase)
        broken = [k for k, v in kept.items() if k in ("loss", "grad_norm") and not math.isfinite(v)]
        if broken:  # before a checkpoint of this step is written
            raise LossNotFinite(f"At step {state.global_step} {broken[0]} is no number any more.")

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self.sample is not None and state.is_world_process_zero:
            self.sample(state.global_step)

    def _tell(self, state: TrainerState) -> None:
        if state.is_world_process_zero:
            self.run.write_status("running", step=state.global_step, max_steps=state.max_steps)
