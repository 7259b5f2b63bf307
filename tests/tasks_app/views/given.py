"""Tasks in people's hands now: views read the real clock."""

from typing import Any

from django.utils import timezone

from oasst.accounts.models import User
from tasks_app.enums import TaskType
from tasks_app.models import Message, Task
from tests import factories


def task(user: User, kind: TaskType, message: Message | None = None, **options: Any) -> Task:
    """A task just handed out."""
    return factories.hand_out(user, kind, message, now=timezone.now(), **options)


def url(given: Task, *, action: str = "") -> str:
    """The address of its page, or of one of its actions."""
    return f"/tasks/{given.pk}/{action}/" if action else f"/tasks/{given.pk}/"
