"""Have the demonstration's data frozen once."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from oasst.accounts.models import User
from training import snapshot_requests
from training.errors import SnapshotExists
from training.snapshot_requests import Wish

NAME = "first-harvest"
ASKED_BY = "root@example.org"


class Command(BaseCommand):
    help = (
        "Ask for a snapshot of the demonstration, as staff does on the page of snapshots; a worker "
        "makes it. Run seed_demo first. Safe to repeat: what is there already stays as it is."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        root = User.objects.filter(email=ASKED_BY).first()
        try:
            snapshot_requests.ask(NAME, Wish(), now=timezone.now(), by=root)
        except SnapshotExists as error:
            self.stdout.write(f"Nothing to do. {error.message}")
        else:
            self.stdout.write(f"Asked for the snapshot {NAME}.")
