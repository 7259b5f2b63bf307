"""The moderators' desk: queues, lists and pages of the data collection in the Django admin."""

from tasks_app.admin import (
    bulk,
    config,
    crowd,
    log,
    messages,
    questions,
    reports,
    tasks,
    trees,
    users,
)

__all__ = [
    "bulk",
    "config",
    "crowd",
    "log",
    "messages",
    "questions",
    "reports",
    "tasks",
    "trees",
    "users",
]
