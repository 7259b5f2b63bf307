"""`manage.py migrate`: Django's, but nobody waits long for a table that a migration waits for."""

import time
from typing import Any

from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg.errors import LockNotAvailable

# Whoever asks for a table while a migration waits for it has to wait too. Somebody may be reading
# it for an hour, as exports do: then the migration steps back, and tries again.
LOCK_TIMEOUT_MS = 2000
PAUSE_S = 5.0
MOST_TRIES = 720  # about two hours


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        self._database = options["database"]
        self._tell("SET statement_timeout = 0")  # an index takes longer than a page may
        try:
            self._migrate(*args, **options)
        finally:
            self._tell("RESET lock_timeout")
            self._tell("RESET statement_timeout")

    def _migrate(self, *args: Any, **options: Any) -> None:
        for left in reversed(range(MOST_TRIES)):
            try:
                super().handle(*args, **options)
                return
            except OperationalError as error:
                if not left or not isinstance(error.__cause__, LockNotAvailable):
                    raise
                self.stderr.write("Somebody uses the table: trying again.")
                time.sleep(PAUSE_S)

    def migration_progress_callback(
        self, action: str, migration: Any = None, fake: bool = False
    ) -> None:
        """Bound the waiting, but of migrations that would be left half done."""
        super().migration_progress_callback(action, migration, fake)
        if action in ("apply_start", "unapply_start"):
            limit_ms = LOCK_TIMEOUT_MS if migration.atomic else 0
            self._tell(f"SET lock_timeout = {limit_ms}")

    def _tell(self, command: str) -> None:
        with connections[self._database].cursor() as cursor:
            cursor.execute(command)
