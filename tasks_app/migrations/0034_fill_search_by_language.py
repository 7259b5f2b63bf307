"""Say that older messages need the words by which they are found: a job fills them.

That takes minutes for a million messages, for which no release has to wait.
"""

from typing import Any

from django.db import migrations
from django.utils import timezone

from tasks_app import search_filling


def begin(apps: Any, schema_editor: Any) -> None:
    if apps.get_model("tasks_app", "Message").objects.exists():
        cursors = apps.get_model("tasks_app", "EventCursor").objects
        now = timezone.now()
        cursors.get_or_create(source=search_filling.SOURCE, defaults={"seen_at": now})


def end(apps: Any, schema_editor: Any) -> None:
    cursors = apps.get_model("tasks_app", "EventCursor").objects
    cursors.filter(source=search_filling.SOURCE).delete()


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0033_search_by_language")]

    operations = [migrations.RunPython(begin, end)]
