"""A person's first steps: the practice they did before they had an account, and for which kinds of
task they still get hints."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction

from tasks_app.enums import TaskType
from tasks_app.first_steps_records import FirstSteps
from tasks_app.models import Task

if TYPE_CHECKING:
    from oasst.accounts.models import User


def has_practised(user: "User") -> bool:
    """Whether somebody has judged a practice item and kept that."""
    return FirstSteps.objects.filter(user=user).exclude(practised_at=None).exists()


def credit_practice(user: "User", *, now: datetime) -> bool:
    """Note that somebody has practised. It earns no points. False if that is known already."""
    FirstSteps.objects.get_or_create(user=user)
    fresh = FirstSteps.objects.filter(user=user, practised_at=None)
    return fresh.update(practised_at=now) == 1


def wants_hints(user: "User", kind: TaskType) -> bool:
    """Whether to show the hints for a kind: until it was done once, or they were put away."""
    if Task.objects.filter(user=user, kind=kind, done_at__isnull=False).exists():
        return False
    return not FirstSteps.objects.filter(user=user, hints_off__contains=[kind]).exists()


@transaction.atomic
def put_hints_away(user: "User", kind: TaskType) -> None:
    """Show somebody no more hints for a kind. Doing so twice is fine."""
    FirstSteps.objects.get_or_create(user=user)
    steps = FirstSteps.objects.select_for_update().get(user=user)
    if kind not in steps.hints_off:
        steps.hints_off = [*steps.hints_off, kind]
        steps.save(update_fields=["hints_off"])
