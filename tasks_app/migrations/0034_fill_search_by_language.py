"""Fill the words by which older messages are found, a thousand at a time.

Takes about five minutes for a million messages. It may be stopped and begun again.
"""

from typing import Any

from django.db import migrations

from tasks_app import search_sql


def fill(apps: Any, schema_editor: Any) -> None:
    search_sql.fill(schema_editor.connection)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("tasks_app", "0033_search_by_language")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
