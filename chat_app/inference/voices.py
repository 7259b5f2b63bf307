"""How a model is spoken to: its chat template, and the tokens that end an answer of its.

Models that share a base in memory have one each.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer, GenerationConfig, PreTrainedTokenizerBase

from chat_app.inference.loading import Loaded
from chat_app.inference.prompts import PromptReader
from chat_app.inference.requests import EngineError

GENERATION = "generation_config.json"


@dataclass(frozen=True)
class Voice:
    reader: PromptReader
    end_tokens: frozenset[int]


def of(loaded: Loaded) -> Voice:
    """That of the model itself. Raises EngineError if it has no chat template."""
    ends = end_tokens(loaded.tokenizer, loaded.model.generation_config)
    return Voice(PromptReader(loaded.tokenizer), ends)


def of_adapter(folder: Path, loaded: Loaded) -> Voice:
    """That of a checkpoint folder whose adapter is put on `loaded`. Raises EngineError."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        has_own = (folder / GENERATION).is_file()
        told = GenerationConfig.from_pretrained(folder, local_files_only=True) if has_own else None
    except (OSError, ValueError) as error:
        raise EngineError(f"{folder} cannot be loaded: {error}") from error
    known = len(loaded.model.get_input_embeddings().weight)
    if len(tokenizer) > known:
        raise EngineError(
            f"{folder}: its tokenizer knows {len(tokenizer)} tokens, its base {known} only. "
            "Promote it merged."
        )
    return Voice(
        PromptReader(tokenizer), end_tokens(tokenizer, told or loaded.model.generation_config)
    )


def end_tokens(tokenizer: PreTrainedTokenizerBase, told: GenerationConfig) -> frozenset[int]:
    """Give every token that ends an answer: some checkpoints name one here and another there."""
    configured = told.eos_token_id
    several = configured if isinstance(configured, list) else [configured]
    return frozenset(t for t in [*several, tokenizer.eos_token_id] if t is not None)
