"""The moderators' desk: queues, lists and pages of the data collection in the Django admin."""

from tasks_app.admin import config, log, messages, reports, tasks, trees, users

__all__ = ["config", "log", "messages", "reports", "tasks", "trees", "users"]
