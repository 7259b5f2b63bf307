"""A migrated, empty database that the others of the tests begin as a copy of.

Migrating takes ten seconds, a copy a fraction of one. It is named after the migrations it holds, so
that a new one is made when they change.
"""

import hashlib
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection

PREFIX = "template_of_tests_"


def begin_as_copies() -> None:
    """Let every test and scratch database of this process begin as a copy of the template."""
    name = PREFIX + _fingerprint()
    with connection.creation._nodb_cursor() as cursor:
        # Until this connection ends; the others wait for the first one's.
        cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [PREFIX])
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX])
        there = {row[0] for row in cursor.fetchall()}
        if name not in there:
            for old in there:
                cursor.execute(f'DROP DATABASE "{old}"')
            _make(f"{name}_unfinished")
            cursor.execute(f'ALTER DATABASE "{name}_unfinished" RENAME TO "{name}"')
    connection.settings_dict["TEST"]["TEMPLATE"] = name


def _make(name: str) -> None:
    test, before = connection.settings_dict["TEST"], connection.settings_dict["NAME"]
    usual = test["NAME"]
    test["NAME"] = name
    try:
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"] = before
        test["NAME"] = usual


def _fingerprint() -> str:
    files = sorted(
        (app.label, path.name, path.read_bytes())
        for app in apps.get_app_configs()
        for path in Path(app.path).glob("migrations/*.py")
    )
    return hashlib.sha256(repr(files).encode()).hexdigest()[:16]
