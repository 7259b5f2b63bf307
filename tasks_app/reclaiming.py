"""Taking up the message of a task that has expired, with what was written for it."""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tasks_app import interactions, selection
from tasks_app.models import Task

if TYPE_CHECKING:
    from oasst.accounts.models import User


@dataclass(frozen=True)
class Reclaimed:
    """The task in hand now. `keeps_both`: it had a draft already, so the older text stays aside."""

    task: Task
    keeps_both: bool


def reclaim(task: Task, user: "User", *, now: datetime, rng: random.Random) -> Reclaimed:
    """Hand out a task on the same message, which takes the draft over. `task` comes from
    `assignment.find`.

    Raises the errors of `selection.next_task`.
    """
    fresh = selection.next_task(
        user, task.kind, langs=[task.lang], message_id=task.message_id, now=now, rng=rng
    )
    if not hasattr(task, "draft") or fresh.pk == task.pk:
        return Reclaimed(fresh, keeps_both=False)
    if hasattr(fresh, "draft"):
        return Reclaimed(fresh, keeps_both=True)
    interactions.save_draft(fresh.pk, user, task.draft.body, now=now)
    return Reclaimed(fresh, keeps_both=False)
