"""Play real conversation trees through the workflow with simulated contributors."""

import json
import logging
import secrets
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from oasst.lib import database
from tasks_app.simulation import Replay, Report

REASONS_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Play the trees of files in the oasst format through the workflow: simulated people write, "
        "review and rank them, with slips, and with trolls if asked for. Uses a database of its "
        "own, dropped at the end. Prints how much came out as it stands in the files."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument(
            "--contributors", type=_number, default=30, metavar="N", help="people; default: 30"
        )
        parser.add_argument(
            "--trolls",
            type=_share,
            default=0.0,
            metavar="SHARE",
            help="share of people who misbehave, 0 to 1; default: 0",
        )
        parser.add_argument("--seed", type=int, metavar="N", help="the same seed plays the same")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--into-current",
            action="store_true",
            help="play in the current database, for a demonstration; what is written stays",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        seed = secrets.randbits(32) if options["seed"] is None else options["seed"]
        try:
            replay = Replay(
                options["files"],
                contributors=options["contributors"],
                trolls=options["trolls"],
                seed=seed,
                now=timezone.now(),
            )
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror or error}") from error
        if not replay.scripts:
            reasons = "; ".join(f"{rest.id}: {rest.reason}" for rest in replay.rest[:3])
            raise CommandError(f"there is no tree that can be finished ({reasons} …)")
        report = self._play(replay, scratch=not options["into_current"])
        if options["json"]:
            self.stdout.write(json.dumps(report.to_json() | {"seed": seed}))
        else:
            self._tell(report, seed)

    def _play(self, replay: Replay, *, scratch: bool) -> Report:
        place: AbstractContextManager[None] = nullcontext()
        if scratch:
            place = database.scratch("replay")
        logging.disable(logging.INFO)  # thousands of state changes
        try:
            with place, tqdm(total=len(replay.scripts), unit=" trees", disable=None) as progress:
                return replay.run(on_export=progress.update)
        finally:
            logging.disable(logging.NOTSET)

    def _tell(self, report: Report, seed: int) -> None:
        for name, value in report.to_json().items():
            if not isinstance(value, list):
                self.stdout.write(f"{name}: {value}")
        self.stdout.write(f"seed: {seed}")
        for rest in report.not_finishable[:REASONS_SHOWN]:
            self.stdout.write(f"not finishable: {rest.id}: {rest.reason}")
        if len(report.not_finishable) > REASONS_SHOWN:
            self.stdout.write(f"… {len(report.not_finishable)} not finishable in all")
        for broken in report.broken:
            self.stdout.write(f"broken: {broken['rule']}: {broken['id']}: {broken['detail']}")


def _number(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text}: expected a number of people")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ArgumentTypeError(f"{text}: expected a share from 0 to 1")
    return share
