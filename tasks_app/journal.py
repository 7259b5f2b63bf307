"""The append-only log of what people contributed; only what was undone at once leaves it again."""

import logging
from datetime import datetime
from typing import Any

from oasst.lib import queue
from tasks_app.enums import ContributionKind
from tasks_app.models import Contribution, Message, Task

logger = logging.getLogger(__name__)


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
    # By name, for it lives above. Without a query: a submit waits for none of this.
    queue.enqueue("leaderboard_app.jobs.book_points", key="points")


def strike(task: Task) -> None:
    """Remove the entry of a task that its person has just taken back: it was not contributed."""
    entries = Contribution.objects.filter(task=task)
    # Locked first, so that what was derived from it meanwhile is seen, and goes.
    list(entries.select_for_update().values_list("pk"))
    entries.delete()
    logger.info("task %s: %s taken back", task.pk, task.kind)
