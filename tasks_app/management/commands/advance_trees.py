"""Advance every active tree and settle every language."""

from typing import Any

from django.core.management.base import BaseCommand

from tasks_app import jobs


class Command(BaseCommand):
    help = (
        "Let every active tree make the moves it is ready for and write its offers anew, then run "
        "the lottery of every language. Safe to repeat; useful after a change of configuration."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        ids = jobs.advance_slice()
        while ids:
            count += len(ids)
            ids = jobs.advance_slice(after=ids[-1])
        jobs.settle_languages()
        self.stdout.write(f"Advanced {count} active trees.")
