"""Speed of our SFT and reward model beside a bare script on trl: same data, model, seed, precision.

Steps are timed from one log to the next, so loading and evaluating count for neither side, by the
processor time of the process: other programs take little of that. The sides take turns and see
the same batches; the figure is the median of the rounds' ratios.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.benchmarks import training_ppo
from training import config as configs
from training.rundir import RunDir

ROOT = Path(__file__).resolve().parents[2]
WARM_UP_STEPS = 2
TREES = "oasst/oasst1_en_validation.dev.trees.jsonl.gz"

Say = Callable[..., None]


@dataclass
class Load:
    """How much of everything."""

    model: str = "smollm2-135m"
    quantization: str = "none"
    rounds: int = 3
    steps: int = 10
    batch_size: int = 4
    max_length: int = 256
    data: str = field(default_factory=lambda: str(_data() / TREES))


def measure(load: Load, *, say: Say) -> dict[str, Any]:
    """Give the figures of design.md 10."""
    if not Path(load.data).exists():
        raise SystemExit(f"{load.data} is not there: set OASST_TEST_DATA")
    sft = _compare(load, "sft", _bare_sft, say)
    rm = _compare(load, "rm", _bare_rm, say)
    return {
        "model": load.model,
        "sft_ratio": sft["ratio"],
        "rm_ratio": rm["ratio"],
        "sft": sft,
        "rm": rm,
        "ppo": training_ppo.measure(
            training_ppo.Load(model=load.model, quantization=load.quantization), say=say
        ),
    }


def _compare(
    load: Load, stage: str, bare: Callable[[Load, Any, Path], None], say: Say
) -> dict[str, Any]:
    from training import modeling

    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    config = _config(load, stage)
    modeling.environment(config)  # as many threads for one side as for the other
    for number in range(load.rounds):
        with tempfile.TemporaryDirectory() as folder:
            sides = {
                "ours": partial(_ours, config, Path(folder) / "ours"),
                "bare": partial(bare, load, config, Path(folder) / "bare"),
            }
            for side in sorted(sides, reverse=bool(number % 2)):
                seconds[side].append(_seconds_a_step(sides[side]))
        say(f"{stage}, round {number + 1}:", {side: round(s[-1], 3) for side, s in seconds.items()})
    ratios = [bare / ours for bare, ours in zip(seconds["bare"], seconds["ours"], strict=True)]
    return {
        "ratio": round(statistics.median(ratios), 3),
        "step_s": round(statistics.median(seconds["ours"]), 3),
        "bare_step_s": round(statistics.median(seconds["bare"]), 3),
    }


def _config(load: Load, stage: str) -> Any:
    return configs.build(
        {
            "stage": stage,
            "name": f"benchmark-{stage}",
            "model": {"path": load.model, "lora": {"r": 16, "alpha": 32, "dropout": 0.0}},
            "data": {
                "sources": [{"path": load.data}],
                "max_length": load.max_length,
                "max_eval": 4,
            },
            "optim": {"max_steps": load.steps, "batch_size": load.batch_size, "lr": 1e-4},
            "output": {"eval_every": 1000, "save_every": 1000, "samples": 0},
        }
    )


def _ours(config: Any, folder: Path) -> None:
    from training import reward, sft

    {"sft": sft, "rm": reward}[config.stage].run(config, RunDir(folder))


def _bare_sft(load: Load, config: Any, folder: Path) -> None:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from training import chat_template, data, modeling

    path = modeling.resolve(load.model)
    tokenizer = AutoTokenizer.from_pretrained(path)
    chat_template.prepare(tokenizer)
    tokenizer.chat_template = chat_template.training_template(tokenizer)
    fits = chat_template.room(tokenizer, load.max_length)
    rows = data.sft(config.data, seed=config.seed, fits=fits).train
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(path, dtype=modeling.dtype_of(config.model)),
        args=SFTConfig(
            **_arguments(config, folder), max_length=load.max_length, assistant_only_loss=True
        ),
        train_dataset=Dataset.from_list([{"messages": row["messages"]} for row in rows]),
        processing_class=tokenizer,
        peft_config=modeling.lora(config.model.lora),
    )
    _train(trainer)


def _bare_rm(load: Load, config: Any, folder: Path) -> None:
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl import RewardConfig, RewardTrainer

    from training import chat_template, data, evaluate, modeling

    path = modeling.resolve(load.model)
    tokenizer = AutoTokenizer.from_pretrained(path)
    chat_template.prepare(tokenizer)
    # Encoded as ours, for trl would leave long pairs out and so have shorter batches.
    rows = [
        evaluate.encoded_pair(row, tokenizer, max_length=load.max_length)
        for row in data.preferences(config.data, seed=config.seed).train
    ]
    dtype = modeling.dtype_of(config.model)
    model = AutoModelForSequenceClassification.from_pretrained(path, dtype=dtype, num_labels=1)
    model.config.pad_token_id = tokenizer.pad_token_id
    names = ("chosen_ids", "rejected_ids")
    trainer = RewardTrainer(
        model=model,
        args=RewardConfig(**_arguments(config, folder), max_length=load.max_length),
        train_dataset=Dataset.from_list([{name: row[name] for name in names} for row in rows]),
        processing_class=tokenizer,
        peft_config=modeling.lora(config.model.lora, scorer=True),
    )
    _train(trainer)


def _arguments(config: Any, folder: Path) -> dict[str, Any]:
    import torch

    from training import modeling

    return {
        "output_dir": str(folder),
        "max_steps": config.optim.max_steps,
        "per_device_train_batch_size": config.optim.batch_size,
        "learning_rate": config.optim.lr,
        "logging_steps": 1,
        "seed": config.seed,
        "data_seed": config.seed,
        "save_strategy": "no",
        "gradient_checkpointing": False,
        "use_cpu": not torch.cuda.is_available(),
        # By default trl computes in bfloat16, whether the processor can or not.
        "bf16": modeling.compute_of(config.model) == torch.bfloat16,
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }


def _train(trainer: Any) -> None:
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)  # standard output is for the figures
    trainer.train()


def _seconds_a_step(train: Callable[[], None]) -> float:
    """Mean processor time of the steps after the first, of whatever trainer `train` starts."""
    from transformers import TrainerCallback
    from transformers.trainer import DEFAULT_CALLBACKS

    times: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_log(self, *args: Any, logs: dict[str, float], **kwargs: Any) -> None:
            if "loss" in logs:
                times.append(time.process_time())

    DEFAULT_CALLBACKS.append(Clock)
    try:
        train()
    finally:
        DEFAULT_CALLBACKS.remove(Clock)
    steps = [after - before for before, after in pairwise(times)]
    return statistics.fmean(steps[WARM_UP_STEPS:])


def _data() -> Path:
    return Path(os.environ.get("OASST_TEST_DATA") or ROOT.parent / "shared" / "data")
