"""Questions to the tables of training, as chainable methods with domain names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from training.enums import CheckState, RunState, Superseded

if TYPE_CHECKING:
    from training.models import Snapshot, SnapshotCheck, TrainingRun  # noqa: F401


class RunQuerySet(models.QuerySet["TrainingRun"]):
    def waiting(self) -> RunQuerySet:
        """Runs that no worker has taken, oldest first."""
        return self.filter(state=RunState.QUEUED).order_by("queued_at", "id")

    def abandoned(self) -> RunQuerySet:
        """Runs whose worker has not renewed its lease, by the database's clock."""
        return self.filter(state=RunState.RUNNING, lease_until__lt=Now())

    def newest_first(self) -> RunQuerySet:
        return self.order_by("-queued_at", "-id")


class SnapshotQuerySet(models.QuerySet["Snapshot"]):
    def current(self) -> SnapshotQuerySet:
        """Those of which nothing was withdrawn since."""
        return self.filter(superseded_at=None)

    def not_for_ever(self) -> SnapshotQuerySet:
        """Those, and the ones that a deletion has superseded, which may be undone."""
        return self.filter(Q(superseded_at=None) | Q(superseded_why=Superseded.DELETED))


class CheckQuerySet(models.QuerySet["SnapshotCheck"]):
    def waiting(self) -> CheckQuerySet:
        """Those that no worker has taken, oldest first."""
        return self.filter(state=CheckState.QUEUED).order_by("asked_at", "pk")

    def abandoned(self) -> CheckQuerySet:
        """Those whose worker has not renewed its lease, by the database's clock."""
        return self.filter(state=CheckState.RUNNING, lease_until__lt=Now())
