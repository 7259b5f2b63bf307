"""`manage.py backup [FOLDER]`: the database and files into a new folder, or a look at one."""

import argparse
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from oasst.lib import backups


class Command(BaseCommand):
    help = "Back up the database, media, runs and models, or check a backup."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "folder", nargs="?", help="where backups are kept; by default BACKUP_DIR"
        )
        parser.add_argument(
            "--keep", type=int, metavar="N", help="afterwards remove all but the newest N"
        )
        parser.add_argument(
            "--check", action="store_true", help="FOLDER is a backup: compare it with its manifest"
        )

    def handle(
        self, *, folder: str | None, keep: int | None, check: bool, **options: object
    ) -> None:
        named = folder or settings.BACKUP_DIR
        if not named:
            raise CommandError("Name a folder, or set BACKUP_DIR.")
        if keep is not None and keep < 1:
            raise CommandError("--keep: at least 1, the backup that is made now.")
        try:
            if check:
                manifest = backups.check(Path(named))
                self.stdout.write(f"whole, made at {manifest.made_at}")
                return
            self.stdout.write(str(backups.make(Path(named), now=timezone.now())))
            for gone in backups.prune(Path(named), keep) if keep else ():
                self.stdout.write(f"removed {gone}")
        except backups.BackupError as error:
            raise CommandError(str(error)) from error
