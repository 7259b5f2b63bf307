"""Small real data and configs for runs of a few steps with the tiny model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training import config as configs
from training import tiny

ANIMALS = ["cat", "dog", "cow", "hen", "owl", "pig", "rat", "bat", "fox", "elk"]
OPTIM = {"lr": 1e-2, "max_steps": 4, "batch_size": 2, "warmup_steps": 0}
OUTPUT = {"eval_every": 2, "save_every": 2, "samples": 1, "sample_tokens": 4}


def model(folder: Path) -> str:
    """The path of a tiny model, built once per folder."""
    path = folder / "tiny-model"
    return str(path if path.is_dir() else tiny.build(path))


def conversations(folder: Path, *, count: int = 40) -> str:
    """A file of short conversations, as many trees."""
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Where sat the {ANIMALS[i % 10]} {i}?"},
                {"role": "assistant", "content": f"The {ANIMALS[i % 10]} sat on mat {i}."},
            ]
        }
        for i in range(count)
    ]
    return _write(folder / "conversations.jsonl", rows)


def pairs(folder: Path, *, count: int = 40, answers: int = 1) -> str:
    """A file of pairs in which the answer that ends well is preferred; every second prompt has
    `answers` of them."""
    rows = [
        {
            "prompt": f"Where sat the {ANIMALS[i % 10]} {i}?",
            "chosen": f"The {ANIMALS[i % 10]} sat on mat {i + n}, good.",
            "rejected": f"The {ANIMALS[i % 10]} sat on mat {i + n}, not so.",
        }
        for i in range(count)
        for n in range(answers if i % 2 else 1)
    ]
    return _write(folder / "pairs.jsonl", rows)


def config(stage: str, folder: Path, **changes: Any) -> Any:
    """A config of a few steps; `changes` are values of top-level keys, laid over ours."""
    data = conversations(folder) if stage == "sft" else pairs(folder)
    values: dict[str, Any] = {
        "name": f"small-{stage}",
        "model": {"path": model(folder), "compute": "float32", "lora": {"r": 4, "alpha": 8}},
        "data": {"sources": [{"path": data}], "max_length": 64, "eval_share": 0.2},
        "optim": OPTIM,
        "output": OUTPUT,
        "threads": 1,
    }
    for key, value in changes.items():
        old = values.get(key)
        values[key] = old | value if isinstance(old, dict) and isinstance(value, dict) else value
    return configs.build(values, stage=stage)


def _write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)
