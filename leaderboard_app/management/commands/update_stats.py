"""`manage.py update_stats`: the statistics as of now, without waiting for cron."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from leaderboard_app import daily
from leaderboard_app.models import DailyStatistics


class Command(BaseCommand):
    help = "Count what the public statistics show. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--all", action="store_true", help="count the whole history anew, not what is new"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        count = daily.recount if options["all"] else daily.refresh
        count(now=timezone.now())
        days = DailyStatistics.objects.filter(lang="").count()
        self.stdout.write(f"{days} days are counted.")
