"""`manage.py train STAGE CONFIG [key=value …] [--now]`: queue a run, or run it here."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from training import config as configs
from training import execution, runs
from training.enums import RunState, Stage
from training.errors import SnapshotSuperseded


class Command(BaseCommand):
    help = (
        "Train: put a run on the queue, where `manage.py rqworker training` takes it, or run it "
        "here with --now. CONFIG is a YAML file or the name of one in training/configs."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("stage", choices=Stage.values)
        parser.add_argument("config")
        parser.add_argument(
            "overrides", nargs="*", metavar="key=value", help="such as optim.lr=1e-5"
        )
        parser.add_argument("--now", action="store_true", help="run it in this process")

    def handle(
        self, *, stage: str, config: str, overrides: list[str], now: bool, **options: Any
    ) -> None:
        try:
            settings = configs.load(config, overrides, stage=stage)
        except configs.ConfigError as error:
            raise CommandError(str(error)) from error
        try:
            run = runs.queue(stage, settings, now=timezone.now(), wake=not now)
        except SnapshotSuperseded as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Run {run.pk}: {run.name}, in {run.folder.path}")
        if not now:
            self.stdout.write("It waits for a worker: manage.py rqworker training")
            return
        try:
            run = execution.run_now(run)
        except execution.Stopped as stopped:
            raise CommandError(f"{stopped} A worker goes on with it.") from stopped
        if run.state != RunState.DONE:
            log = Path(run.folder.log)
            raise CommandError(f"{run.get_state_display()}: {run.message} (log: {log})")
        self.stdout.write(f"Done: {run.folder.path}")
