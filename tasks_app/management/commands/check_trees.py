"""Prove the invariants of the data collection on this database."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from tasks_app import checks
from tasks_app.models import Message, MessageTree


class Command(BaseCommand):
    help = (
        "Check every invariant of trees, messages, votes, tasks and the journal. Lists what is "
        "broken and then exits with 1. Changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        broken = list(checks.broken_invariants())
        trees, messages = MessageTree.objects.count(), Message.objects.count()
        if options["json"]:
            found = [asdict(entry) for entry in broken]
            report = {"trees": trees, "messages": messages, "invariants_broken": found}
            self.stdout.write(json.dumps(report))
        else:
            for entry in broken:
                self.stdout.write(f"{entry.rule}: {entry.id}: {entry.detail}")
            summary = f"{trees} trees, {messages} messages, {len(broken)} invariants broken."
            self.stdout.write(summary)
        if broken:
            sys.exit(1)
