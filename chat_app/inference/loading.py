"""Loads a model folder for inference: weights, precision, quantisation, device, threads."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from chat_app.inference import fetching
from chat_app.inference.requests import EngineError

Quantization = Literal["none", "8bit", "4bit"]
QUANTIZATIONS = ("none", "8bit", "4bit")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to run, and how it was loaded."""

    model: Any
    tokenizer: Any
    device: str
    dtype: str


def load(
    path: Path, *, quantization: Quantization = "none", device: str = "auto", dtype: str = "auto"
) -> Loaded:
    """Load a folder of safetensors. `auto`: CUDA in bfloat16 if there is one, else CPU in float32.

    Raises EngineError with what to do.
    """
    device = _device(device)
    dtype = _dtype(dtype, device)
    transformers_logging.disable_progress_bar()
    try:
        fetching.check(path)
        options = {"local_files_only": True, "trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(path, **options)
        model = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=DTYPES[dtype],
            device_map={"": device},
            attn_implementation="sdpa",
            quantization_config=_quantization(quantization, DTYPES[dtype]),
            use_safetensors=True,
            **options,
        )
    except fetching.FetchError as error:
        raise EngineError(str(error)) from error
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        raise EngineError(f"{path} cannot be loaded: {error}") from error
    return Loaded(model.eval(), tokenizer, device, dtype)


def use_threads(threads: int | None = None) -> int:
    """Set how many threads torch computes with: as given, else TORCH_THREADS, else cores - 1.

    All cores would starve what runs beside it, and threads that wait for each other spin.
    """
    wished = os.environ.get("TORCH_THREADS") or "0"
    if not wished.isdecimal():
        raise EngineError(f"TORCH_THREADS={wished}: expected a whole number")
    torch.set_num_threads(threads or int(wished) or max(1, (os.cpu_count() or 2) - 1))
    return torch.get_num_threads()


def _device(device: str) -> str:
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise EngineError(f"device={device}, but torch finds no CUDA here. Use device=cpu.")
    return device


def _dtype(dtype: str, device: str) -> str:
    if dtype == "auto":
        return "float32" if device == "cpu" else "bfloat16"
    if dtype not in DTYPES:
        raise EngineError(f"dtype={dtype}: expected auto, {', '.join(DTYPES)}.")
    return dtype


def _quantization(quantization: str, dtype: torch.dtype) -> BitsAndBytesConfig | None:
    # Without this 8 bits log a line for each layer and token about casting.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    if quantization == "4bit":
        return BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
        )
    if quantization != "none":
        raise EngineError(f"quantization={quantization}: expected {', '.join(QUANTIZATIONS)}.")
    return None
