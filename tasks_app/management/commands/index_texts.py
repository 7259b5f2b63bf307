"""Store the signatures by which nearly the same texts are found."""

from typing import Any

from django.core.management.base import BaseCommand

from tasks_app import jobs


class Command(BaseCommand):
    help = (
        "Store the signature of every message that has none, so that authors and reviewers are "
        "shown what says nearly the same. Safe to repeat; new messages and imports get theirs by "
        "themselves."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        ids = jobs.index_slice()
        while ids:
            count += len(ids)
            ids = jobs.index_slice(after=ids[-1])
        self.stdout.write(f"Indexed {count} texts.")
