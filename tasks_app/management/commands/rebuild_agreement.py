"""Count anew how much people agree."""

from typing import Any

from django.core.management.base import BaseCommand

from tasks_app import agreement_sums


class Command(BaseCommand):
    help = (
        "Throw away the sums of agreement and count every review and ranking anew. Pages show what "
        "is counted so far. May be broken off and run again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{agreement_sums.rebuild()} messages counted.")
