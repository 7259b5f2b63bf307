"""Copies what a run's folder says into its row: how far it is, its metrics, its alarms."""

from __future__ import annotations

import json
import math
import os
from typing import Any, BinaryIO

from training import alarms, runs
from training.models import TrainingRun


class Follower:
    """Reads the folder of one attempt again and again; only what is new is copied."""

    def __init__(self, run: TrainingRun) -> None:
        self.run = run
        self._rows: list[dict[str, Any]] = []
        self._limits = alarms.limits_of(run.config)
        # Which file was read up to which byte: a resumed run writes metrics.jsonl anew.
        self._inode = -1
        self._read_bytes = 0

    def look(self) -> dict[str, Any]:
        """Copy new metrics; returns the columns of the run that changed."""
        changed: dict[str, Any] = {}
        status = self.run.folder.read_status()
        if status is not None and (status.step, status.max_steps) != (
            self.run.step,
            self.run.max_steps,
        ):
            self.run.step, self.run.max_steps = status.step, status.max_steps
            changed |= {"step": status.step, "max_steps": status.max_steps}
        if self._copy_metrics():
            self.run.alarms = [alarm.to_dict() for alarm in alarms.look(self._rows, self._limits)]
            changed |= {"metrics": self.run.metrics, "alarms": self.run.alarms}
        return changed

    def _copy_metrics(self) -> bool:
        try:
            file = self.run.folder.metrics.open("rb")
        except FileNotFoundError:
            return False
        with file:
            return self._copy(file)

    def _copy(self, file: BinaryIO) -> bool:
        """Asks the file that is open, not its name: this may stand for another one by now."""
        stat = os.fstat(file.fileno())
        is_anew = stat.st_ino != self._inode or stat.st_size < self._read_bytes
        if not is_anew and stat.st_size == self._read_bytes:
            return False
        if is_anew:
            self._inode, self._read_bytes, self._rows = stat.st_ino, 0, []
        try:
            new = self._read_on(file)
        except ValueError:  # of an older file's number: begin anew
            self._inode = -1
            return False
        last_step = max((row["step"] for row in new), default=0)
        runs.log(self.run, new, forget_after=last_step if is_anew else None)
        self._rows += new
        self.run.metrics = _newest(self._rows)
        return True

    def _read_on(self, file: BinaryIO) -> list[dict[str, Any]]:
        """The lines that were written to their end since. Raises ValueError in half a line."""
        file.seek(self._read_bytes)
        whole, newline, _half = file.read().rpartition(b"\n")
        rows = [_finite(json.loads(line)) for line in whole.splitlines()]
        self._read_bytes += len(whole) + len(newline)
        return rows


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """JSON in the database knows no NaN: null says that there was no number."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def _newest(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The newest value of each metric; those of held-out examples begin with `eval`."""
    newest: dict[str, Any] = {}
    for row in rows[-400:]:
        prefix = "eval/" if row["phase"] == "eval" else ""
        for name, value in row.items():
            if name not in ("step", "phase", "time"):
                newest[name if name.startswith("eval_") else prefix + name] = value
    return newest
