"""The moderators' desk: queues, lists and pages of the data collection in the Django admin."""

from tasks_app.admin import bulk, config, log, messages, reports, tasks, trees, users

__all__ = ["bulk", "config", "log", "messages", "reports", "tasks", "trees", "users"]
