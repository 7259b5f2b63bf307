#!/usr/bin/env python
"""Django's command line; starts the embedded services first where a command needs them."""

import gc
import os
import sys

NEEDS_NO_SERVICES = {
    "check",
    "collectstatic",
    "fetch_model",
    "help",
    "makemigrations",
    "messages",
    "services",
    "version",
}


def needs_services(argv: list[str]) -> bool:
    """Tell whether the command in `argv` (as sys.argv) talks to PostgreSQL or Redis."""
    if len(argv) < 2 or {"--help", "-h", "--version"} & set(argv):
        return False
    return argv[1] not in NEEDS_NO_SERVICES


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oasst.settings")
    if sys.argv[1:2] not in (["runserver"], ["supervise"]):
        # Migrations, exports and jobs may take their time; only pages must answer soon.
        os.environ.setdefault("DATABASE_STATEMENT_TIMEOUT_MS", "0")
    from django.core.management import execute_from_command_line

    from oasst.lib import services

    if needs_services(sys.argv):
        try:
            services.ensure()
        except services.ServiceError as error:
            sys.exit(f"manage.py: {error}")
    if sys.argv[1:2] != ["runserver"]:  # it goes on waiting when apps do not load
        load_apps()
    execute_from_command_line(sys.argv)


def load_apps() -> None:
    """Do first what Django does anyway, without garbage collection: that is a fifth of a start."""
    import django
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        settings.INSTALLED_APPS  # noqa: B018
    except ImproperlyConfigured:
        return  # the command says so itself, or can do without

    gc.disable()
    django.setup()
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    main()
