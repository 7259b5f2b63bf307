"""What training holds about a person: told by `collect`; `erase` marks what must not be used."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from oasst.accounts.models import User
from training import snapshots
from training.models import Snapshot


def collect(user: User) -> dict[str, Iterable[dict[str, Any]]]:
    """Section → rows of plain values: in which snapshots the person's texts are."""
    held = Snapshot.objects.filter(people=user).order_by("pk")
    rows = held.values("name", "sha256", "created_at", "superseded_at")
    return {"snapshots": cast(Iterable[dict[str, Any]], rows)}


def erase(user: User, *, now: datetime) -> None:
    """Mark the snapshots that hold the person's texts; nothing new may be trained on them."""
    snapshots.supersede(user, now=now)
