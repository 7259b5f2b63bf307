"""Book what the demonstration's people did, and give them goals and a prize."""

from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from leaderboard_app import ledger, prizes
from leaderboard_app.enums import Frame
from leaderboard_app.models import Prize, TeamGoal
from oasst.lib.errors import DomainError

GOALS = {"en": 120, "de": 80, "fr": 40, "es": 40}
TITLE = "First harvest"
TEXT = "The best ten days of the first month. The winners choose the next theme."


class Command(BaseCommand):
    help = (
        "Bring the ledger up to date and add goals and a published prize to the demonstration. "
        "Run seed_demo first. Safe to repeat: what is there already stays as it is."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        count = ledger.catch_up(now=now)
        for frame in Frame:
            ledger.refresh_frame(frame, now=now)
        for lang, target in GOALS.items():
            TeamGoal.objects.get_or_create(lang=lang, defaults={"target": target})
        try:
            self._publish(now)
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Booked {count} entries of points.")

    def _publish(self, now: datetime) -> None:
        if not Prize.objects.filter(title=TITLE).exists():
            end = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=7)
            prize = Prize.objects.create(
                title=TITLE, text=TEXT, starts_at=end - timedelta(days=30), ends_at=end
            )
            prizes.publish(prize.pk, actor=None, now=now)
