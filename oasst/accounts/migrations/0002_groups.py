"""The groups `moderators` and `admins`; roles.give_permissions fills them after migrating."""

from django.db import migrations

ROLES = ("moderators", "admins")


def create_groups(apps, schema_editor):
    group = apps.get_model("auth", "Group")
    for name in ROLES:
        group.objects.using(schema_editor.connection.alias).get_or_create(name=name)


def delete_groups(apps, schema_editor):
    group = apps.get_model("auth", "Group")
    group.objects.using(schema_editor.connection.alias).filter(name__in=ROLES).delete()


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_user")]
    operations = [migrations.RunPython(create_groups, delete_groups)]
