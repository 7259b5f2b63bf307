"""`manage.py restore BACKUP`: a backup into an empty database and empty folders."""

import argparse
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from oasst.lib import backups


class Command(BaseCommand):
    help = "Restore a backup into an empty database and empty folders; nothing is overwritten."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("backup", help="the folder that `manage.py backup` named")

    def handle(self, *, backup: str, **options: object) -> None:
        try:
            manifest = backups.restore(Path(backup))
        except backups.BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"restored as of {manifest.made_at}; now run `manage.py migrate`, then the site"
        )
