"""`manage.py services start|stop|status`: the embedded PostgreSQL and Valkey by hand."""

import argparse

from django.core.management.base import BaseCommand, CommandError

from oasst.lib import services


class Command(BaseCommand):
    help = "Start, stop or show the embedded PostgreSQL and Valkey."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("action", choices=["start", "stop", "status"])
        parser.add_argument(
            "--if-unused", action="store_true", help="stop only if nobody is connected"
        )

    def handle(self, *, action: str, if_unused: bool, **options: object) -> None:
        try:
            if action == "start":
                services.ensure()
            elif action == "stop" and not services.stop(only_if_unused=if_unused):
                self.stdout.write("somebody is connected: left running")
            for entry in services.status():
                state = "running" if entry.running else "stopped"
                self.stdout.write(f"{entry.name:<11} {state:<8} {entry.where}")
        except services.ServiceError as error:
            raise CommandError(str(error)) from error
