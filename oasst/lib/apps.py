"""Django app of the shared parts: commands (services, cron, supervise) and template tags."""

from django.apps import AppConfig

from oasst.lib import catalogues


class LibConfig(AppConfig):
    name = "oasst.lib"
    label = "lib"
    verbose_name = "Shared parts"

    def ready(self) -> None:
        # Here, and not by a step of the set-up that somebody could leave out. Mostly it looks only
        # at the age of a few files.
        catalogues.compile_changed()
