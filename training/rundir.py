"""The folder of a run: the one contract between a pipeline and whoever watches it. Pure.

    config.yaml   data.json   log.txt   status.json   metrics.jsonl   samples.jsonl
    evaluation.json   evaluations/<step>.json   checkpoints/checkpoint-<step>/   final/   cancel
    lock

A pipeline writes, everybody else reads; only `cancel` is written from outside. Whoever writes
holds `lock`.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

State = Literal["running", "done", "cancelled", "failed"]
PREFIX = "checkpoint-"
_HALF = ".half"  # the end of a name that is being written
_OLD = ".old"  # before that end: what is being replaced


@dataclass(frozen=True)
class Status:
    """How far the run is. `message` says in plain words why it ended, when it did not end well."""

    state: State
    step: int = 0
    max_steps: int = 0
    message: str = ""
    pid: int = 0
    updated_at: float = 0.0  # seconds since the epoch


@dataclass(frozen=True)
class RunDir:
    """Paths of a run, and how its small files are read and written."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def data(self) -> Path:
        """Which files it learns from, with their hashes, as they were when it began."""
        return self.path / "data.json"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        return self.path / "samples.jsonl"

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation.json"

    @property
    def evaluations(self) -> Path:
        """What was found on each held-out example, a file per evaluation."""
        return self.path / "evaluations"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def final(self) -> Path:
        return self.path / "final"

    def make(self) -> RunDir:
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        return self

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    # Status and cancelling

    def write_status(
        self, state: State, *, step: int = 0, max_steps: int = 0, message: str = ""
    ) -> None:
        status = Status(state, step, max_steps, message, os.getpid(), time.time())
        write_whole(self.path / "status.json", json.dumps(asdict(status)))

    def read_status(self) -> Status | None:
        """None before the first step."""
        try:
            return Status(**json.loads((self.path / "status.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def cancel(self) -> None:
        """Ask the run to save and end; it looks between steps and while it generates."""
        (self.path / "cancel").touch()

    @property
    def is_cancelled(self) -> bool:
        return (self.path / "cancel").exists()

    def allow(self) -> None:
        """Take the wish to cancel back, before a run is resumed."""
        (self.path / "cancel").unlink(missing_ok=True)

    # Metrics and samples: one JSON object per line, in order of steps

    def add_metrics(self, step: int, values: dict[str, float], *, phase: str = "train") -> None:
        """`phase` is train or eval. The time stands beside as `time`, seconds since the epoch."""
        self._add(self.metrics, {"step": step, "phase": phase, "time": time.time(), **values})

    def add_samples(self, step: int, prompt: str, completions: list[dict[str, Any]]) -> None:
        """`completions` are `{"text", "score"?}`."""
        self._add(self.samples, {"step": step, "prompt": prompt, "completions": completions})

    def forget_after(self, step: int) -> None:
        """Drop what was logged after `step`: a resumed run logs it again."""
        for path in (self.metrics, self.samples):
            kept = [json.dumps(row) for row in read_lines(path) if row["step"] <= step]
            write_whole(path, "".join(f"{line}\n" for line in kept))

    def _add(self, path: Path, row: dict[str, Any]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    # Checkpoints

    def last_checkpoint(self) -> Path | None:
        """The newest that was written to its end."""
        whole = self._whole_checkpoints()
        return whole[-1] if whole else None

    def drop_older(self, keep: int) -> None:
        """Remove all checkpoints but the newest `keep`, at least one; a kill leaves no part of one
        under its name."""
        for path in self._whole_checkpoints()[: -max(keep, 1)]:
            shutil.rmtree(path.rename(half(path)), ignore_errors=True)

    def _whole_checkpoints(self) -> list[Path]:
        """The oldest first."""
        found = sorted(self.checkpoints.glob(f"{PREFIX}[0-9]*"), key=step_of)
        return [path for path in found if path.suffix != _HALF]


def step_of(checkpoint: Path) -> int:
    digits = checkpoint.name.removeprefix(PREFIX).removesuffix(_HALF)
    return int(digits) if digits.isdecimal() else -1


def half(path: Path) -> Path:
    """Where to write `path` until it is whole; an older half is removed."""
    being_written = path.with_name(path.name + _HALF)
    shutil.rmtree(being_written, ignore_errors=True)
    return being_written


def publish(being_written: Path, path: Path) -> None:
    """Give a folder that is written to its end its name: all of it or nothing, also in a crash."""
    for file in sorted(being_written.rglob("*")):
        _flush(file)
    _flush(being_written)
    old = half(path.with_name(path.name + _OLD))
    if path.exists():
        path.rename(old)
    being_written.rename(path)
    _flush(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def tidy(folder: Path) -> None:
    """Take away what a crash left half written, and give back what it was about to replace."""
    for being_written in sorted(folder.rglob(f"*{_HALF}")):
        path = being_written.with_name(being_written.name.removesuffix(_OLD + _HALF))
        if being_written.name.endswith(_OLD + _HALF) and not path.exists():
            being_written.rename(path)
        elif being_written.is_dir():
            shutil.rmtree(being_written, ignore_errors=True)
        else:
            being_written.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old text or the new one, never a part."""
    being_written = path.with_name(f"{path.name}.{os.getpid()}{_HALF}")
    being_written.write_text(text, encoding="utf-8")
    _flush(being_written)
    being_written.replace(path)


def read_lines(path: Path, *, start: int = 0) -> Iterator[dict[str, Any]]:
    """The whole lines from byte `start` on; a last line that is being written is left out."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
