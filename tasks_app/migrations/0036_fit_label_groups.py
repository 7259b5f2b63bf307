"""Have the skills of label groups computed where there are votes already; taken back, drop them."""

from typing import Any

from django.db import migrations
from django.db.models import F


def look_again(apps: Any, schema_editor: Any) -> None:
    means = apps.get_model("tasks_app", "CrowdMean").objects.filter(group="acceptance")
    means.update(changes=F("changes") + 1)


def drop(apps: Any, schema_editor: Any) -> None:
    for name in ("Reliability", "CrowdMean"):
        rows = apps.get_model("tasks_app", name).objects
        rows.filter(group__in=["flags", "quality", "tone"]).delete()


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0035_skills_of_label_groups")]

    operations = [migrations.RunPython(look_again, drop)]
