"""Loads what is trained: base model, precision, quantisation, adapters. The only place that does.

A run's result may hold an adapter; then the adapter is trained further on the base it belongs to,
so that all adapters of a family (SFT, RM, PPO) sit on one base and can share it in memory.
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import datasets
import peft
import torch
from bitsandbytes.nn import Linear4bit, Linear8bitLt
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)
from transformers.utils import logging as transformers_logging

from chat_app.inference import fetching
from chat_app.inference.fetching import FetchError, check
from chat_app.inference.loading import DTYPES, Quantization, use_threads
from chat_app.inference.requests import EngineError
from training import chat_template, tiny
from training.config import ConfigError, LoraConfig, ModelConfig
from training.rundir import half, publish

ROOT = Path(__file__).resolve().parent.parent
TINY = "tiny"  # as a model's path: a random one that is built on the spot
ADAPTER = fetching.ADAPTER  # in a run's result
HEAD = "score"  # the linear layer that turns a hidden state into a reward
HEAD_KEY = f"base_model.model.{HEAD}.weight"  # in the file of an adapter


def environment(config: Any) -> None:
    """Threads and seeds as the config says. Raises ConfigError."""
    _be_quiet()
    try:
        use_threads(config.threads or None)
    except EngineError as error:
        raise ConfigError(str(error)) from None
    set_seed(config.seed)


def _be_quiet() -> None:
    """The log of a run is for what it does; these speak of their own affairs."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # 8 bits log a line per layer
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    datasets.disable_progress_bars()
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


# Where models lie


def models_dir() -> Path:
    var = Path(os.environ.get("OASST_VAR_DIR") or ROOT / "var")
    return Path(os.environ.get("MODELS_DIR") or var / "models")


def resolve(path: str | Path) -> Path:
    """The folder of a model: itself, a name below MODELS_DIR, or what the hub's cache has of it.

    Raises ConfigError with what to do.
    """
    if str(path) == TINY:
        return _tiny()
    for folder in (Path(path), models_dir() / path):
        if (folder / "config.json").is_file() or (folder / ADAPTER).is_dir():
            return folder.resolve()
    return _from_hub(str(path))


def short(folder: Path) -> str:
    """The name below MODELS_DIR where there is one: it means the same on another machine."""
    home = models_dir().resolve()
    return str(folder.relative_to(home)) if folder.is_relative_to(home) else str(folder)


def base_of(folder: Path) -> Path:
    """The model that the adapter in `folder` belongs to; `folder` itself where there is none."""
    if not (folder / ADAPTER).is_dir():
        return folder
    lineage = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    return resolve(lineage["base_model"]["path"])


def start_adapter(config: ModelConfig) -> Path | None:
    """The adapter that is trained further; None where a new one begins or all weights learn."""
    folder = resolve(config.path) / ADAPTER
    return folder if config.lora and folder.is_dir() else None


def _tiny() -> Path:
    folder = models_dir() / "tiny-random"
    if not folder.is_dir():
        publish(tiny.build(half(folder)), folder)
    return folder.resolve()


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, OSError):
        raise ConfigError(
            f"model.path: {name} is no folder of a model, nor a name below {models_dir()}. For a "
            f"model of the hub: manage.py fetch_model NAME --from owner/name, then path: NAME"
        ) from None


# Loading


def load_causal(
    config: ModelConfig, *, train: bool = True
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base, quantised if asked, without adapters, and the tokenizer that goes with the path."""
    tokenizer = load_tokenizer(config)
    model = _load(AutoModelForCausalLM, _foundation(config), config, train=train)
    return _fit(model, tokenizer), tokenizer


def load_scorer(
    config: ModelConfig, *, train: bool = True
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Like `load_causal`, with a head that gives one number, (B, 1), in place of the vocabulary."""
    tokenizer = load_tokenizer(config)
    kind = AutoModelForSequenceClassification
    model = _load(kind, _foundation(config), config, train=train, num_labels=1)
    return _fit(model, tokenizer), tokenizer


def load_trained(config: ModelConfig | Path | str) -> tuple[Any, PreTrainedTokenizerBase]:
    """A result that writes: its merged weights if it has them, else its adapter on its base."""
    plain = _as_config(config)
    model, tokenizer = load_causal(plain, train=False)
    return _completed(model, plain).eval(), tokenizer


def load_reward(
    config: ModelConfig | Path | str, *, quantization: Quantization = "none"
) -> tuple[Any, PreTrainedTokenizerBase]:
    """A result that scores, (B, 1): merged weights if it has them, else its adapter on its base.

    `quantization` is for a path alone; a ModelConfig brings its own.
    """
    plain = _as_config(config, quantization)
    model, tokenizer = load_scorer(plain, train=False)
    return _completed(model, plain).eval(), tokenizer


def _as_config(
    config: ModelConfig | Path | str, quantization: Quantization = "none"
) -> ModelConfig:
    if isinstance(config, ModelConfig):
        return replace(config, lora=None)
    return ModelConfig(path=str(config), quantization=quantization)


def _completed(model: PreTrainedModel, config: ModelConfig) -> Any:
    folder = resolve(config.path)
    if any(folder.glob("*.safetensors")):
        return model
    return peft.PeftModel.from_pretrained(model, folder / ADAPTER)


def load_tokenizer(config: ModelConfig) -> PreTrainedTokenizerBase:
    """The tokenizer, with the tokens and the chat template of ours if it has no template."""
    tokenizer = AutoTokenizer.from_pretrained(resolve(config.path), local_files_only=True)
    chat_template.prepare(tokenizer)
    return tokenizer


def device_of(config: ModelConfig) -> str:
    """cpu or cuda:N, N being this process's own. Raises ConfigError."""
    if config.device == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    else:
        wanted = config.device
    if not wanted.startswith("cuda"):
        return wanted
    if not torch.cuda.is_available():
        raise ConfigError(f"model.device: {wanted}, but torch finds no CUDA here. Use cpu or auto.")
    return wanted if ":" in wanted else f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def dtype_of(config: ModelConfig) -> torch.dtype:
    """What the base is kept in. `auto`: float32 on CPUs and where all weights learn."""
    if config.dtype != "auto":
        return DTYPES[config.dtype]
    is_frozen = config.lora is not None and device_of(config) != "cpu"
    return torch.bfloat16 if is_frozen else torch.float32


def compute_of(config: ModelConfig) -> torch.dtype:
    """What matrices are multiplied in, by autocast where it is not what the weights are kept in."""
    if config.dtype == "float16":
        return torch.float16
    if config.compute != "auto":
        return DTYPES[config.compute]
    if device_of(config) == "cpu":
        fast = torch.cpu.get_capabilities().get("amx_bf16", False)
    else:
        fast = torch.cuda.is_bf16_supported()
    return torch.bfloat16 if fast and config.dtype != "float32" else torch.float32


def _foundation(config: ModelConfig) -> Path:
    folder = resolve(config.path)
    if config.lora or not any(folder.glob("*.safetensors")):
        return base_of(folder)
    return folder


def _load(
    kind: Any, folder: Path, config: ModelConfig, *, train: bool, **options: Any
) -> PreTrainedModel:
    if config.quantization != "none" and config.lora is None and train:
        raise ConfigError("model.quantization: quantised weights cannot learn; set model.lora")
    dtype = dtype_of(config)
    try:
        check(folder)
        model = kind.from_pretrained(
            folder,
            dtype=dtype,
            device_map=_placement(config, train=train),
            attn_implementation="sdpa",
            quantization_config=quantization(config.quantization, dtype),
            use_safetensors=True,
            local_files_only=True,
            **options,
        )
    except FetchError as error:
        raise ConfigError(f"model.path: {error}") from None
    keep_gradients(model)
    if train and device_of(config) == "cpu":
        keep_activations(model)
    return model


def _placement(config: ModelConfig, *, train: bool) -> dict[str, str] | None:
    """None lets the trainer place the weights; quantised ones must be where they stay."""
    return None if train and config.quantization == "none" else {"": device_of(config)}


def quantization(wanted: str, dtype: torch.dtype) -> BitsAndBytesConfig | None:
    if wanted == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=["lm_head", HEAD])
    if wanted == "4bit":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=dtype,
            bnb_4bit_use_double_quant=True,
            bnb_4bit_quant_storage=dtype,  # what FSDP can shard
            llm_int8_skip_modules=["lm_head", HEAD],
        )
    return None


def keep_gradients(model: torch.nn.Module) -> None:
    """Keep 4-bit layers from packing their weights for AVX-512 in the first forward without grad.

    Packed weights give no gradient to what lies below: training goes on and nothing is learned.
    """
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def keep_activations(model: torch.nn.Module) -> None:
    """Let 8-bit layers on a CPU compute in eval mode as they do in training.

    There bitsandbytes rounds the activations too, but in eval mode only: what is drawn, measured
    and judged would be another model than the one that learns.
    """
    for module in model.modules():
        if isinstance(module, Linear8bitLt):
            module.register_forward_pre_hook(_as_in_training)


def _as_in_training(layer: torch.nn.Module, _inputs: Any) -> None:
    layer.training = True  # the layer alone: it holds no dropout


def _fit(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """Let the model agree with its tokenizer on vocabulary, padding and end."""
    if len(tokenizer) > len(cast(Any, model.get_input_embeddings()).weight):
        with torch.random.fork_rng():
            torch.manual_seed(0)  # the new rows are drawn: the same ones on every load
            model.resize_token_embeddings(len(tokenizer), pad_to_multiple_of=16)
    text = model.config.get_text_config()
    text.pad_token_id, text.eos_token_id = tokenizer.pad_token_id, tokenizer.eos_token_id
    if getattr(model, "generation_config", None) is not None:  # a scorer has none
        model.generation_config.pad_token_id = tokenizer.pad_token_id
        known = ends(model) | {tokenizer.eos_token_id, chat_template.end_of_turn(tokenizer)}
        model.generation_config.eos_token_id = min(known) if len(known) == 1 else sorted(known)
    return model


def ends(model: Any) -> set[int]:
    """What ends an answer: the tokens that a model of ours tells, in chat too."""
    told = model.generation_config.eos_token_id
    return {*told} if isinstance(told, list) else {told} - {None}


# Adapters


def lora(
    config: LoraConfig, *, scorer: bool = False, new_tokens: Sequence[int] = ()
) -> peft.LoraConfig:
    """peft's description of an adapter; a scorer's head is trained whole and saved with it."""
    targets = config.targets if isinstance(config.targets, str) else list(config.targets)
    return peft.LoraConfig(
        r=config.r,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=targets,
        task_type="SEQ_CLS" if scorer else "CAUSAL_LM",
        modules_to_save=[HEAD] if scorer else None,
        trainable_token_indices={"embed_tokens": list(new_tokens)} if new_tokens else None,
    )


def trainable(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, config: ModelConfig
) -> Any:
    """The model with what learns: all weights, a new adapter, or one that is trained further.

    Raises ConfigError where that one has another shape than `model.lora`.
    """
    if config.lora is None:
        return model
    scorer = hasattr(model, HEAD)
    start = start_adapter(config)
    if start is None:
        new = range(_size_of_base(config), len(tokenizer))
        return _with_adapter(model, lora(config.lora, scorer=scorer, new_tokens=new))
    known = peft.PeftConfig.from_pretrained(str(start))
    _check_shape(config.lora, known, start)
    wanted = lora(config.lora, scorer=scorer)
    wanted.target_modules = known.target_modules
    wanted.trainable_token_indices = known.trainable_token_indices
    weights = load_file(start / "adapter_model.safetensors")
    if scorer:  # an adapter that wrote so far brings no head
        weights.setdefault(HEAD_KEY, cast(Any, model).score.weight.detach())
    wrapped = _with_adapter(model, wanted)
    found: Any = peft.set_peft_model_state_dict(wrapped, weights)
    if found.unexpected_keys:
        raise ConfigError(f"{start} does not fit the model: {found.unexpected_keys[0]}")
    return wrapped


def _with_adapter(model: PreTrainedModel, adapter: peft.LoraConfig) -> Any:
    """Without the card that peft adds to each checkpoint: ours is written once, with the result."""
    wrapped: Any = peft.get_peft_model(model, adapter)
    wrapped.create_or_update_model_card = lambda _folder: None
    return wrapped


def _check_shape(ours: LoraConfig, its: Any, start: Path) -> None:
    for key, wanted, found in [("r", ours.r, its.r), ("alpha", ours.alpha, its.lora_alpha)]:
        if wanted != found:
            raise ConfigError(
                f"model.lora.{key}: {wanted}, but the adapter in {start}, which is trained "
                f"further, has {found}"
            )


def _size_of_base(config: ModelConfig) -> int:
    """How many tokens there were before the chat template needed some."""
    return len(AutoTokenizer.from_pretrained(resolve(config.path), local_files_only=True))
