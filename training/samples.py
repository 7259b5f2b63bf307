"""What the model writes at each evaluation, always to the same prompts, so that people see it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedTokenizerBase

from training import chat_template, modeling, scoring
from training.config import OutputConfig
from training.rundir import RunDir
from training.scoring import Turns

Sample = Callable[[int], None]


def answers(
    run: RunDir,
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Turns],
    output: OutputConfig,
) -> Sample | None:
    """What draws the likeliest answer to the first prompts; None where nothing is to be drawn."""
    chosen = list(prompts)[: output.samples]
    if not chosen or os.environ.get("ACCELERATE_USE_FSDP") == "true":  # one process has no model
        return None

    def sample(step: int) -> None:
        texts = greedy(model, tokenizer, chosen, max_new_tokens=output.sample_tokens)
        for prompt, text in zip(chosen, texts, strict=True):
            run.add_samples(step, shown(prompt), [{"text": text}])

    return sample


def scores(
    run: RunDir,
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[dict[str, Any]],
    *,
    max_length: int,
    count: int,
) -> Sample | None:
    """What scores both answers of the first pairs, the chosen one first."""
    shown_pairs = list(pairs)[:count]
    if not shown_pairs or os.environ.get("ACCELERATE_USE_FSDP") == "true":
        return None

    def sample(step: int) -> None:
        for pair in shown_pairs:
            texts = [pair["chosen"][-1]["content"], pair["rejected"][-1]["content"]]
            ids = [
                scoring.encode(tokenizer, pair["prompt"], text, max_length=max_length)
                for text in texts
            ]
            found = scoring.scores(model, ids, batch_size=2)
            rows = [{"text": t, "score": s} for t, s in zip(texts, found, strict=True)]
            run.add_samples(step, shown(pair["prompt"]), rows)

    return sample


@torch.no_grad()
def greedy(
    model: Any, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Turns], *, max_new_tokens: int
) -> list[str]:
    """The likeliest answer to each prompt. Draws no random numbers: training goes on as it would.

    All prompts go through the model at once.
    """
    model.eval()
    rows = [chat_template.tokens(tokenizer, turns, is_open=True) for turns in prompts]
    width = max(len(row) for row in rows)
    pad, ends = tokenizer.pad_token_id, sorted(modeling.ends(model))
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=model.device)
    mask = torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in rows], device=model.device)
    config = GenerationConfig(
        max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=pad, eos_token_id=ends
    )
    with scoring.autocast(model):
        written = model.generate(input_ids=ids, attention_mask=mask, generation_config=config)
    return tokenizer.batch_decode(written[:, width:], skip_special_tokens=True)


def shown(prompt: Turns) -> str:
    """The prompt as a person reads it: the last question, or all turns of a longer talk."""
    if len(prompt) == 1:
        return prompt[0]["content"]
    return "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in prompt)
