"""Loading a model folder: what was asked for is what comes, and what cannot be is said."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from chat_app.inference import loading
from chat_app.inference.requests import EngineError


@pytest.fixture(autouse=True)
def _threads_as_before() -> Any:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("threads", "variable", "expected"),
    [(2, "1", 2), (None, "1", 1), (None, "", max(1, (os.cpu_count() or 2) - 1))],
)
def test_threads_are_as_given_else_as_in_the_environment_else_one_less_than_cores(
    monkeypatch: pytest.MonkeyPatch, threads: int | None, variable: str, expected: int
) -> None:
    monkeypatch.setenv("TORCH_THREADS", variable)

    assert loading.use_threads(threads) == expected


def test_number_of_threads_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_THREADS", "many")

    with pytest.raises(EngineError, match="TORCH_THREADS=many: expected a whole number"):
        loading.use_threads()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_have_the_precision_that_was_asked_for(tiny_path: Path, dtype: str) -> None:
    loaded = loading.load(tiny_path, device="cpu", dtype=dtype)

    assert {p.dtype for p in loaded.model.parameters()} == {getattr(torch, dtype)}
    assert (loaded.device, loaded.dtype) == ("cpu", dtype)
    assert not loaded.model.training


def test_precision_on_cpu_is_float32_unless_told(tiny_path: Path) -> None:
    assert loading.load(tiny_path, device="cpu").dtype == "float32"


@pytest.mark.parametrize(("quantization", "share"), [("8bit", 0.8), ("4bit", 0.7)])
def test_quantised_weights_take_less_memory(
    tiny_path: Path, quantization: Any, share: float
) -> None:
    """Half of the tiny model is embeddings, which stay as they are."""
    whole = loading.load(tiny_path, device="cpu").model.get_memory_footprint()
    small = loading.load(tiny_path, device="cpu", quantization=quantization)

    assert small.model.get_memory_footprint() < whole * share
    kinds = {type(module).__module__.split(".")[0] for module in small.model.modules()}
    assert "bitsandbytes" in kinds


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"quantization": "3bit"}, "quantization=3bit: expected none, 8bit, 4bit"),
        ({"dtype": "int7"}, "dtype=int7: expected auto, float32"),
        ({"device": "tpu"}, "cannot be loaded"),
    ],
)
def test_wish_that_cannot_be_met_is_refused(
    tiny_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(EngineError, match=words):
        loading.load(tiny_path, **{"device": "cpu", **options})


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none_is_refused(tiny_path: Path) -> None:
    with pytest.raises(EngineError, match="Use device=cpu"):
        loading.load(tiny_path, device="cuda")


def test_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no safetensors"):
        loading.load(tmp_path)
