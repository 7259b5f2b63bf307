"""The append-only log of what people contributed."""

from datetime import datetime
from typing import Any

from tasks_app.enums import ContributionKind
from tasks_app.models import Contribution, Message, Task


def record(
    kind: ContributionKind,
    *,
    user: Any,
    now: datetime,
    message: Message | None = None,
    task: Task | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Add one entry."""
    Contribution.objects.create(
        kind=kind,
        user=user,
        message=message,
        task=task,
        task_kind=task.kind if task else "",
        lang=message.lang if message else task.lang if task else "",
        data=data or {},
        created_at=now,
    )
