"""A person's open tasks as lists show them: what they are, and how long their places are kept."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tasks_app import browsing, kinds
from tasks_app.models import Task

if TYPE_CHECKING:
    from oasst.accounts.models import User


def entries(user: "User", *, now: datetime) -> list[dict[str, Any]]:
    """One entry a task, newest first; `kept_until` is empty once its place may go to others."""
    return [
        with_kind(task) | {"kept_until": _kept_until(task, now)}
        for task in browsing.open_tasks(user, now=now)
    ]


def with_kind(task: Task) -> dict[str, Any]:
    """A task with what its kind is called."""
    return {"task": task, "kind": kinds.KINDS[task.kind]}


def _kept_until(task: Task, now: datetime) -> datetime | None:
    has_place = task.type.is_reply and task.holds_slot
    return task.reserved_until if has_place and task.reserved_until > now else None
