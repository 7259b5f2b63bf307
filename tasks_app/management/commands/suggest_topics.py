"""Suggest topics for conversations that have none."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tasks_app import topics


class Command(BaseCommand):
    help = (
        "Suggest topics, by the words of their prompts, for conversations that have none: those "
        "begun before there were topics, and imported ones. They are marked as suggested; nothing "
        "that somebody chose is touched. Safe to repeat while the site is used, and to break off."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--after",
            type=uuid.UUID,
            help="go on behind this conversation, the last that was told by a run broken off",
        )

    def handle(self, *args: Any, after: uuid.UUID | None, **options: Any) -> None:
        seen = filled = 0
        while part := topics.suggest_slice(after):
            after, seen, filled = part.last, seen + part.seen, filled + part.filled
            if options["verbosity"] > 1:
                self.stdout.write(f"{seen} looked at, up to {after}")
        self.stdout.write(f"Suggested topics for {filled} of {seen} conversations without any.")
