"""What tests of runs, snapshots and models start from."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from training import checkpoints, registry, runs
from training import config as configs
from training.models import Checkpoint, Snapshot, TrainingRun

FAKE = [sys.executable, "-m", "tests.training.fake_pipeline"]


def config(name: str = "fine", *, steps: int = 6, **values: Any) -> Any:
    """The config of an SFT run of a few steps."""
    plain = {"name": name, "model": {"path": "tiny"}, "optim": {"max_steps": steps}} | values
    return configs.build(plain, stage="sft")


def queued(name: str = "fine", *, steps: int = 6, wake: bool = False, **how: Any) -> TrainingRun:
    """A run that waits, without a job for it unless `wake`."""
    return runs.queue("sft", config(name, steps=steps), now=timezone.now(), wake=wake, **how)


def starts(run: TrainingRun) -> int:
    """How often its program was started."""
    return len((run.folder.path / "starts.txt").read_text().splitlines())


def environment() -> dict[str, str]:
    """What the programs of a real worker need on top of `stack.environment`."""
    return {"RUNS_DIR": str(settings.RUNS_DIR), "TRAINING_COMMAND": " ".join(FAKE)}


def checkpoint(
    name: str = "ppo",
    *,
    stage: str = "ppo",
    evaluation: dict[str, Any] | None = None,
    parents: Sequence[Checkpoint] = (),
    snapshots: Sequence[Snapshot] = (),
    **lineage: Any,
) -> Checkpoint:
    """A registered model whose folder the chat could serve; its weights are zeros."""
    folder = Path(settings.RUNS_DIR) / name / "final"
    folder.mkdir(parents=True)
    _write_weights(folder, name)
    record = {
        "schema": 1,
        "stage": stage,
        "name": name,
        "base_model": {"path": "tiny", "sha256": "b" * 64},
        "parents": [
            {"stage": p.stage, "name": p.name, "weights_sha256": p.weights_sha256} for p in parents
        ],
        "data": [{"path": s.path, "sha256": "f" * 64, "snapshot": s.sha256} for s in snapshots],
        "config": {"stage": stage, "name": name, "kl": {"budget": 10.0}},
        "evaluation": evaluation,
        "weights_sha256": hashlib.sha256(name.encode()).hexdigest(),
    }
    (folder / "training.json").write_text(json.dumps(record | lineage))
    return registry.register_folder(folder)


def tuned(base: str = "a-base", **how: Any) -> Checkpoint:
    """A registered model that has its adapter beside its merged weights, and its base on disk."""
    whole = Path(settings.MODELS_DIR) / base
    whole.mkdir(parents=True)
    _write_weights(whole, base)
    sha256 = checkpoints.weights_sha256(whole)
    made = checkpoint(base_model={"path": base, "sha256": sha256}, **how)
    adapter = made.folder / "adapter"
    adapter.mkdir()
    shutil.copy(made.folder / "model.safetensors", adapter / "adapter_model.safetensors")
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    return made


def _write_weights(folder: Path, name: str) -> None:
    tensors = {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
    header = json.dumps(tensors).encode()
    weights = len(header).to_bytes(8, "little") + header + bytes(16)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text('{"max_position_embeddings": 512}')
    (folder / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    (folder / "README.md").write_text(f"---\nlicense: mit\n---\n# {name}\n")


def snapshot(name: str = "first", **fields: Any) -> Snapshot:
    """A snapshot's row, without files."""
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    counts = {"trees": 1, "messages": 3, "synthetic": 0, "rankings": 0, "languages": {"en": 3}}
    columns = {"sha256": sha256, "path": f"snapshots/{name}", "counts": counts} | fields
    return Snapshot.objects.create(name=name, **columns)


def figure(
    value: float, *, low: float | None = None, high: float | None = None, n: int = 100
) -> Any:
    """A number of an evaluation; its interval is narrow unless given."""
    return {"value": value, "low": low if low is not None else value - 0.01,
            "high": high if high is not None else value + 0.01, "n": n}  # fmt: skip


# What the gate likes.
GOOD = {"stage": "ppo", "n": 100, "gain": figure(0.5), "kl": figure(4.0)}
