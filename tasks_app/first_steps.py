"""A person's first steps: the practice they did before they had an account."""

from datetime import datetime
from typing import TYPE_CHECKING

from tasks_app.first_steps_records import FirstSteps

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
