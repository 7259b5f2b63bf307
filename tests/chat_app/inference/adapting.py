"""Adapters that change what the tiny model says, with and without being merged."""

from pathlib import Path
from typing import Any

import peft
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def adapted(base: Path, folder: Path, *, seed: int, r: int = 4) -> Path:
    """A checkpoint folder as a run leaves it: merged weights, tokenizer, and the adapter alone."""
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = peft.LoraConfig(
        r=r,
        lora_alpha=16,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        init_lora_weights=False,  # drawn, so that it changes something
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = peft.get_peft_model(plain, config)
    model.save_pretrained(folder / "adapter")
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    model.merge_and_unload().save_pretrained(folder)
    return folder
