"""`manage.py training_status [--json]`: the newest runs and how far they are."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand

from training import alarm_words
from training.models import TrainingRun

COLUMNS = ("ID", "NAME", "STAGE", "STATE", "STEP", "LOSS", "ALARMS")


class Command(BaseCommand):
    help = "Show runs: state, step, newest metrics, alarms and the checkpoint that came of them."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON list")
        parser.add_argument("--limit", type=int, default=20, metavar="N", help="newest runs")

    def handle(self, *, json: bool, limit: int, **options: Any) -> None:
        newest = TrainingRun.objects.newest_first().select_related("checkpoint")[: max(0, limit)]
        if json:
            self.stdout.write(_as_json([_facts(run) for run in newest]))
            return
        rows = [COLUMNS, *(_row(run) for run in newest)]
        widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())


def _facts(run: TrainingRun) -> dict[str, Any]:
    checkpoint = getattr(run, "checkpoint", None)
    return {
        "id": str(run.pk),
        "name": run.name,
        "stage": run.stage,
        "state": run.state,
        "step": run.step,
        "max_steps": run.max_steps,
        "metrics": run.metrics,
        "checkpoint": str(checkpoint.folder) if checkpoint else None,
        "attempt": run.attempt,
        "message": run.message,
        "alarms": [warning.title for warning in alarm_words.warnings_of(run)],
    }


def _row(run: TrainingRun) -> tuple[str, ...]:
    loss = run.metrics.get("loss")
    return (
        str(run.pk),
        run.name,
        run.stage,
        run.state,
        f"{run.step}/{run.max_steps}",
        f"{loss:.3f}" if loss is not None else "",
        str(len(run.alarms) or ""),
    )


def _as_json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, ensure_ascii=False, indent=2)
