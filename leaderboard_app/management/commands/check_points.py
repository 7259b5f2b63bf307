"""Prove that the ledger of points is what the rules say, and that boards show its sums."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from leaderboard_app import ledger
from leaderboard_app.models import PointEntry


class Command(BaseCommand):
    help = (
        "Bring the ledger up to date, derive every entry anew from the trees and compare, entries "
        "and sums. Lists what is wrong and then exits with 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        ledger.catch_up(now=timezone.now())
        broken = list(ledger.disagreements())
        entries = PointEntry.objects.count()
        if options["json"]:
            found = [{"rule": rule, "id": pk, "detail": detail} for rule, pk, detail in broken]
            self.stdout.write(json.dumps({"entries": entries, "invariants_broken": found}))
        else:
            for rule, pk, detail in broken:
                self.stdout.write(f"{rule}: {pk}: {detail}")
            self.stdout.write(f"{entries} entries, {len(broken)} invariants broken.")
        if broken:
            sys.exit(1)
