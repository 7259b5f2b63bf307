"""Django app of the shared parts: commands (services, cron, supervise) and template tags."""

from django.apps import AppConfig


class LibConfig(AppConfig):
    name = "oasst.lib"
    label = "lib"
    verbose_name = "Shared parts"
